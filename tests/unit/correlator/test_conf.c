/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "correlator/conf.h"

static int parse(const char *text, struct cor_conf *conf, struct hd_diag_first *first)
{
    struct hd_diags diags = {.emit = hd_diag_keep_first, .ctx = first};
    *first = (struct hd_diag_first){0};
    return hd_conf_parse(hd_slice_str(text), "x.yml", &cor_conf_schema, conf, &diags);
}

#define TLS "tls: {cert: c, key: k, ca: a}\n"

static void the_sample_is_good(void **state)
{
    (void)state;
    struct cor_conf conf;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    assert_int_equal(hd_conf_load(hd_test_source("packaging/etc/correlator.yml"),
                                  &cor_conf_schema, &conf, &diags),
                     HD_OK);
    assert_int_equal(diags.warnings, 0);
    assert_string_equal(conf.listen[0], ":6515");
    assert_string_equal(conf.archive.dir, "/var/lib/haidang/correlator/archive");
    assert_true(conf.suppress.window == INT64_C(300000000000));
    hd_conf_free(&cor_conf_schema, &conf);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"listen: ':6515'\n", "tls"},
        {TLS "listen: nonsense\n", "not host:port"},
        {TLS "listen: []\n", "1 to 8 addresses"},
        {TLS "intake: {agents_max: 5000, agents_remembered: 5000}\n", "must be more"},
        {TLS "detect: {threads: 99}\n", "threads"},
        {TLS "near_full: {warning: 90, alarm: 90}\n", "near_full.alarm must be more"},
        {TLS "archve: {}\n", "archive"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cor_conf conf;
        struct hd_diag_first first;
        assert_int_equal(parse(bad[i][0], &conf, &first), HD_EPARSE);
        if (strstr(first.text, bad[i][1]) == NULL) {
            print_error("%s\n", first.text);
        }
        assert_non_null(strstr(first.text, bad[i][1]));
    }
}

static void several_addresses_may_be_listened_on(void **state)
{
    (void)state;
    struct cor_conf conf;
    struct hd_diag_first first;
    assert_int_equal(
        parse(TLS "listen: ['192.0.2.1:6515', '[2001:db8::1]:6515']\n", &conf, &first),
        HD_OK);
    assert_int_equal(conf.n_listen, 2);
    hd_conf_free(&cor_conf_schema, &conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_is_good),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(several_addresses_may_be_listened_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
