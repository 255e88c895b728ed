/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <haidang/fs.h>

#include "correlator/enrich/attack.h"
#include "correlator/enrich/enrich.h"

static struct hd_ip ip(const char *text)
{
    struct hd_ip out;
    assert_int_equal(hd_ip_parse(hd_slice_str(text), &out), HD_OK);
    return out;
}

/* ---- tactics ---- */

static void finds_the_first_tactic(void **state)
{
    (void)state;
    static const char *const by_name[] = {"attack.t1110", "attack.credential-access",
                                          "attack.impact"};
    static const char *const by_id[] = {"car.2013-05-009", "attack.ta0011"};
    static const char *const old_spelling[] = {"attack.lateral_movement"};
    static const char *const none[] = {"attack.t1059.001", "cve.2021-44228", "attack."};
    assert_string_equal(cor_attack_tactic(by_name, 3)->id, "TA0006");
    assert_string_equal(cor_attack_tactic(by_name, 3)->name, "Credential Access");
    assert_string_equal(cor_attack_tactic(by_id, 2)->name, "Command and Control");
    assert_string_equal(cor_attack_tactic(old_spelling, 1)->id, "TA0008");
    assert_null(cor_attack_tactic(none, 3));
    assert_null(cor_attack_tactic(NULL, 0));
}

/* ---- direction, system ---- */

static struct cor_enrich *with_inventory(const char *csv)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/inventory.csv", hd_test_tmpdir());
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(csv), 0600), HD_OK);
    struct cor_enrich *e = NULL;
    struct hd_diags diags = {0};
    assert_int_equal(
        cor_enrich_load(&(struct cor_enrich_opts){.inventory = path}, &e, &diags), HD_OK);
    return e;
}

static void tells_the_system_and_direction(void **state)
{
    (void)state;
    struct cor_enrich *e =
        with_inventory("id,name,hosts,networks\nweb,W,web1,203.0.113.0/24\n"
                       "db,D,db1,203.0.113.64/26\n");
    struct hd_ip out = ip("198.51.100.9"), web = ip("203.0.113.1"),
                 db = ip("203.0.113.65"), lan = ip("10.0.0.1");
    struct cor_subject s = {.source = &out};
    assert_string_equal(cor_enrich_direction(e, &s), "inbound");
    assert_null(cor_enrich_system(e, &s));
    s.destination = &db;
    assert_string_equal(cor_enrich_direction(e, &s), "inbound");
    assert_string_equal(cor_enrich_system(e, &s)->id, "db");
    s.host = HD_SLICE("WEB1");
    assert_string_equal(cor_enrich_system(e, &s)->id, "web");
    s = (struct cor_subject){.source = &web, .destination = &out};
    assert_string_equal(cor_enrich_direction(e, &s), "outbound");
    assert_string_equal(cor_enrich_system(e, &s)->id, "web");
    s = (struct cor_subject){.source = &lan, .destination = &web};
    assert_string_equal(cor_enrich_direction(e, &s), "internal");
    s = (struct cor_subject){.source = &out, .destination = &out};
    assert_null(cor_enrich_direction(e, &s));
    s = (struct cor_subject){.agent = HD_SLICE("db1")};
    assert_null(cor_enrich_direction(e, &s));
    assert_string_equal(cor_enrich_system(e, &s)->id, "db");
    cor_enrich_unref(e);
}

static void works_without_anything(void **state)
{
    (void)state;
    struct cor_enrich *e = NULL;
    struct hd_diags diags = {0};
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &e, &diags), HD_OK);
    struct hd_ip out = ip("198.51.100.9");
    struct cor_geo geo = {0};
    assert_int_equal(cor_enrich_geo(e, &out, &geo), HD_ENOENT);
    assert_null(cor_enrich_system(e, &(struct cor_subject){.source = &out}));
    assert_string_equal(cor_enrich_direction(e, &(struct cor_subject){.source = &out}),
                        "inbound");
    assert_int_equal(cor_enrich_systems(e), 0);
    cor_enrich_unref(cor_enrich_ref(e));
    cor_enrich_unref(e);
}

/* ---- databases ---- */

static bool text_is(struct hd_slice s, const char *want)
{
    return hd_slice_eq(s, hd_slice_str(want));
}

static void looks_addresses_up(void **state)
{
    (void)state;
    char city[512], asn[512];
    const char *shared = hd_test_shared("mmdb/GeoLite2-City-Test.mmdb");
    if (shared == NULL) {
        hd_test_skip("no test databases");
    }
    (void)snprintf(city, sizeof(city), "%s", shared);
    (void)snprintf(asn, sizeof(asn), "%s", hd_test_shared("mmdb/GeoLite2-ASN-Test.mmdb"));
    struct cor_enrich_opts opts = {
        .city_db = city, .asn_db = asn, .scratch_dir = hd_test_tmpdir()};
    struct cor_enrich *e = NULL;
    struct hd_diags diags = {0};
    assert_int_equal(cor_enrich_load(&opts, &e, &diags), HD_OK);
    struct hd_ip uk = ip("81.2.69.142"), as = ip("1.128.0.1"), none = ip("192.0.2.1"),
                 six = ip("2001:218::1");
    struct cor_geo geo = {0};
    assert_int_equal(cor_enrich_geo(e, &uk, &geo), HD_OK);
    assert_true(text_is(geo.country_iso, "GB"));
    assert_true(text_is(geo.country, "United Kingdom"));
    assert_true(text_is(geo.city, "London"));
    assert_true(text_is(geo.region, "England"));
    assert_true(text_is(geo.time_zone, "Europe/London"));
    assert_true(geo.has_position);
    assert_true(geo.lat > 51 && geo.lat < 52);
    geo = (struct cor_geo){0};
    assert_int_equal(cor_enrich_geo(e, &as, &geo), HD_OK);
    assert_int_equal(geo.as_number, 1221);
    assert_true(text_is(geo.as_organization, "Telstra Pty Ltd"));
    geo = (struct cor_geo){0};
    assert_int_equal(cor_enrich_geo(e, &six, &geo), HD_OK);
    assert_true(text_is(geo.country_iso, "JP"));
    assert_int_equal(cor_enrich_geo(e, &none, &(struct cor_geo){0}), HD_ENOENT);
    assert_false(cor_enrich_is_stale(e, &opts));
    cor_enrich_unref(e);
}

/* A copy is used: what happens to the file afterwards cannot hurt. */
static void survives_truncation_and_sees_replacement(void **state)
{
    (void)state;
    const char *shared = hd_test_shared("mmdb/GeoLite2-Country-Test.mmdb");
    if (shared == NULL) {
        hd_test_skip("no test databases");
    }
    char path[512];
    const char *dir = hd_test_tmpdir();
    (void)snprintf(path, sizeof(path), "%s/country.mmdb", dir);
    struct hd_buf bytes;
    hd_buf_init(&bytes, 0);
    assert_int_equal(hd_fs_read(shared, 1 << 20, &bytes), HD_OK);
    assert_int_equal(hd_fs_write_atomic(path, hd_buf_slice(&bytes), 0600), HD_OK);
    struct cor_enrich_opts opts = {.city_db = path, .scratch_dir = dir};
    struct cor_enrich *e = NULL, *worse = NULL;
    struct hd_diags diags = {0};
    assert_int_equal(cor_enrich_load(&opts, &e, &diags), HD_OK);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fclose(f);
    struct hd_ip uk = ip("81.2.69.142");
    struct cor_geo geo = {0};
    assert_int_equal(cor_enrich_geo(e, &uk, &geo), HD_OK);
    assert_true(text_is(geo.country_iso, "GB"));
    assert_true(cor_enrich_is_stale(e, &opts));
    assert_int_not_equal(cor_enrich_load(&opts, &worse, &diags), HD_OK);
    assert_int_equal(diags.errors, 1);
    hd_buf_fini(&bytes);
    cor_enrich_unref(e);
}

static void broken_databases_are_refused_or_harmless(void **state)
{
    (void)state;
    static const char *const names[] = {"mmdb/GeoIP2-City-Test-Invalid-Node-Count.mmdb",
                                        "mmdb/MaxMind-DB-test-broken-pointers-24.mmdb",
                                        "mmdb/MaxMind-DB-test-broken-search-tree-24.mmdb",
                                        "inventory/systems.csv", "mmdb"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *path = hd_test_shared(names[i]);
        if (path == NULL) {
            hd_test_skip("no test databases");
        }
        struct hd_diags diags = {0};
        struct cor_geo_db *db = NULL;
        if (cor_geo_open(path, hd_test_tmpdir(), &db, &diags) != HD_OK) {
            assert_int_equal(diags.errors, 1);
            continue;
        }
        for (unsigned a = 0; a < 256; a++) {
            struct hd_ip four = hd_ip_v4((uint8_t[]){(uint8_t)(a * 7), 2, 69, 142});
            struct hd_ip low = hd_ip_v4((uint8_t[]){1, 1, 1, (uint8_t)a});
            struct cor_geo geo = {0};
            int err = cor_geo_lookup(db, a % 2 ? &four : &low, &geo);
            assert_true(err == HD_OK || err == HD_ENOENT || err == HD_ECORRUPT);
        }
        cor_geo_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_first_tactic),
        cmocka_unit_test(tells_the_system_and_direction),
        cmocka_unit_test(works_without_anything),
        cmocka_unit_test(looks_addresses_up),
        cmocka_unit_test(survives_truncation_and_sees_replacement),
        cmocka_unit_test(broken_databases_are_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
