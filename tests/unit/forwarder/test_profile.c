/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/alert.h>
#include <haidang/fs.h>

#include "forwarder/profile/profile.h"
#include "tests/support/alloc.h"
#include "tests/support/centre/schema.h"
#include "tests/support/certs.h"

#define SHIPPED "forwarder/profiles/vn-ncsc-alert-0.1.0.json"
#define SCHEMA  "forwarder/profiles/vn-ncsc-alert-0.1.0.schema.json"

static char vendor[] = "vendor_id", unit[] = "unit_id", sensor[] = "sensor_id";
static char vendor_value[] = "vendor-example", unit_value[] = "unit-example";
static char sensor_value[] = "0123456789abcdef01234567";
static const struct fwd_setting settings[] = {
    {vendor, vendor_value}, {unit, unit_value}, {sensor, sensor_value}};

static struct hd_cidr registered;
static struct fwd_render_opts opts;
static struct fwd_profile *profile;
static json_t *schema;

static int setup(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    assert_int_equal(fwd_profile_load(hd_test_source(SHIPPED), &diags, &profile), HD_OK);
    assert_int_equal(hd_cidr_parse(HD_SLICE("10.1.0.0/16"), &registered), HD_OK);
    opts = (struct fwd_render_opts){settings, 3, &registered, 1};
    schema = json_load_file(hd_test_source(SCHEMA), 0, NULL);
    assert_non_null(schema);
    char why[256];
    assert_int_equal(schema_check(schema, why), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fwd_profile_free(profile);
    json_decref(schema);
    return 0;
}

static struct hd_buf read_source(const char *name)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    assert_int_equal(hd_fs_read(hd_test_source(name), 1 << 20, &text), HD_OK);
    return text;
}

static json_t *parse_alert(struct hd_slice line)
{
    json_t *alert = NULL;
    char why[256] = "";
    if (hd_alert_parse(line, &alert, why) != HD_OK) {
        fail_msg("%s", why);
    }
    return alert;
}

static void check_valid(struct hd_slice message)
{
    char why[256] = "";
    json_t *value = json_loadb((const char *)message.ptr, message.len, 0, NULL);
    assert_non_null(value);
    if (schema_validate(schema, value, why) != 0) {
        fail_msg("%s", why);
    }
    json_decref(value);
}

static void test_golden(void **state)
{
    (void)state;
    struct hd_buf alerts = read_source("tests/unit/forwarder/golden_alerts.jsonl");
    struct hd_buf messages = read_source("tests/unit/forwarder/golden_messages.jsonl");
    struct hd_slice in = hd_slice_trim(hd_buf_slice(&alerts));
    struct hd_slice expected = hd_slice_trim(hd_buf_slice(&messages));
    struct hd_slice line, want;
    unsigned n = 0;
    while (in.len > 0) {
        (void)hd_slice_split(&in, '\n', &line);
        (void)hd_slice_split(&expected, '\n', &want);
        json_t *alert = parse_alert(line);
        struct hd_buf out;
        char why[256] = "";
        hd_buf_init(&out, FWD_MESSAGE_MAX);
        assert_int_equal(fwd_profile_render(profile, alert, &opts, &out, why), HD_OK);
        if (!hd_slice_eq(hd_buf_slice(&out), want)) {
            fail_msg("%u:\n%s\n%.*s", n + 1, hd_buf_cstr(&out), HD_SLICE_FMT(want));
        }
        check_valid(hd_buf_slice(&out));
        /* every value that must not leave has SECRET in it */
        assert_true(hd_slice_find(hd_buf_slice(&out), HD_SLICE("SECRET")) == HD_NPOS);
        hd_buf_fini(&out);
        json_decref(alert);
        n++;
    }
    assert_true(n >= 20);
    hd_buf_fini(&alerts);
    hd_buf_fini(&messages);
}

static json_t *first_alert(void)
{
    struct hd_buf alerts = read_source("tests/unit/forwarder/golden_alerts.jsonl");
    struct hd_slice in = hd_buf_slice(&alerts);
    struct hd_slice line;
    (void)hd_slice_split(&in, '\n', &line);
    json_t *alert = parse_alert(line);
    hd_buf_fini(&alerts);
    return alert;
}

static void expect_wrong(json_t *alert, const char *text)
{
    struct hd_buf out;
    char why[256] = "";
    hd_buf_init(&out, FWD_MESSAGE_MAX);
    assert_int_equal(fwd_profile_render(profile, alert, &opts, &out, why), HD_EPARSE);
    if (strstr(why, text) == NULL) {
        fail_msg("%s (expected %s)", why, text);
    }
    hd_buf_fini(&out);
    json_decref(alert);
}

static void test_cannot_be_told(void **state)
{
    (void)state;
    for (int severity = 0; severity <= 5; severity += 5) {
        json_t *alert = first_alert();
        (void)json_object_set_new(alert, "severity", json_integer(severity));
        expect_wrong(alert, "/severity: the alert has nothing for it");
    }
    json_t *alert = first_alert();
    (void)json_object_set_new(json_object_get(alert, "time"), "first",
                              json_string("yesterday"));
    expect_wrong(alert, "/timestamp: is not an RFC 3339 time");
    alert = first_alert();
    (void)json_object_set_new(json_object_get(alert, "time"), "first",
                              json_string("1999-01-01T00:00:00Z"));
    expect_wrong(alert, "/timestamp");
    alert = first_alert();
    (void)json_object_set_new(json_object_get(alert, "source"), "port",
                              json_integer(65536));
    expect_wrong(alert, "/src_port: 65536 is out of range");
    alert = first_alert();
    (void)json_object_set_new(json_object_get(alert, "source"), "ip",
                              json_string("300.1.1.1"));
    expect_wrong(alert, "/src_ip: is not an IP address");
}

static void test_long_texts(void **state)
{
    (void)state;
    json_t *alert = first_alert();
    char title[1100 * 2 + 1];
    for (size_t i = 0; i < sizeof(title) - 1; i += 2) {
        memcpy(title + i, "đ", 2);
    }
    title[sizeof(title) - 1] = '\0';
    (void)json_object_set_new(json_object_get(alert, "rule"), "title",
                              json_string(title));
    struct hd_buf out;
    char why[256] = "";
    hd_buf_init(&out, FWD_MESSAGE_MAX);
    assert_int_equal(fwd_profile_render(profile, alert, &opts, &out, why), HD_OK);
    check_valid(hd_buf_slice(&out)); /* 1024 characters, cut between two */
    hd_buf_fini(&out);
    json_decref(alert);
}

static void test_settings(void **state)
{
    (void)state;
    char why[256] = "";
    assert_int_equal(fwd_profile_check_settings(profile, &opts, why), HD_OK);
    struct fwd_render_opts fewer = opts;
    fewer.n_settings = 2;
    assert_int_equal(fwd_profile_check_settings(profile, &fewer, why), HD_EPARSE);
    assert_non_null(strstr(why, "\"sensor_id\" is missing"));
    char bad_value[] = "0123456789ABCDEF01234567", other[] = "other";
    const struct fwd_setting bad[] = {settings[0], settings[1], {sensor, bad_value}};
    const struct fwd_render_opts bad_opts = {bad, 3, NULL, 0};
    assert_int_equal(fwd_profile_check_settings(profile, &bad_opts, why), HD_EPARSE);
    assert_non_null(strstr(why, "24 lower case hex digits"));
    const struct fwd_setting more[] = {
        settings[0], settings[1], settings[2], {other, bad_value}};
    const struct fwd_render_opts more_opts = {more, 4, NULL, 0};
    assert_int_equal(fwd_profile_check_settings(profile, &more_opts, why), HD_EINVAL);
    assert_non_null(strstr(why, "no setting \"other\""));
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        long status;
        enum fwd_class class;
    } sample[] = {{200, FWD_CLASS_OK},    {204, FWD_CLASS_OK},    {207, FWD_CLASS_OK},
                  {301, FWD_CLASS_STOP},  {400, FWD_CLASS_DEAD},  {401, FWD_CLASS_STOP},
                  {403, FWD_CLASS_STOP},  {408, FWD_CLASS_RETRY}, {409, FWD_CLASS_DEAD},
                  {413, FWD_CLASS_DEAD},  {418, FWD_CLASS_DEAD},  {429, FWD_CLASS_RETRY},
                  {500, FWD_CLASS_RETRY}, {503, FWD_CLASS_RETRY}, {599, FWD_CLASS_RETRY},
                  {0, FWD_CLASS_RETRY}};
    for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++) {
        assert_int_equal(fwd_profile_class(profile, sample[i].status), sample[i].class);
    }
    const struct fwd_profile_info *info = fwd_profile_info(profile);
    assert_string_equal(info->name, "vn-ncsc-alert@0.1.0");
    assert_int_equal(info->status, FWD_PROFILE_OBSERVED);
    assert_int_equal(info->method, FWD_POST);
}

/* The shipped profile with one text in it replaced: must be refused, with the pointer. */
static void expect_refused(const char *from, const char *to, const char *text)
{
    struct hd_buf whole = read_source(SHIPPED);
    struct hd_buf changed;
    hd_buf_init(&changed, 0);
    size_t at = hd_slice_find(hd_buf_slice(&whole), hd_slice_str(from));
    assert_true(at != HD_NPOS);
    hd_buf_bytes(&changed, whole.ptr, at);
    hd_buf_str(&changed, to);
    hd_buf_slice_add(&changed, hd_slice_from(hd_buf_slice(&whole), at + strlen(from)));
    struct hd_diag_first first = {""};
    struct hd_diags diags = {.emit = hd_diag_keep_first, .ctx = &first};
    struct fwd_profile *bad = NULL;
    assert_int_equal(fwd_profile_parse(hd_buf_slice(&changed), "p.json", &diags, &bad),
                     HD_EPARSE);
    if (strstr(first.text, text) == NULL) {
        fail_msg("%s (expected %s)", first.text, text);
    }
    hd_buf_fini(&whole);
    hd_buf_fini(&changed);
}

static void test_bad_profiles(void **state)
{
    (void)state;
    expect_refused("\"status\": \"observed\"", "\"status\": \"blessed\"",
                   "/status: must be one of official, observed, assumed");
    expect_refused("\"status\": \"observed\",", "", "/status: is missing");
    expect_refused("\"framing\"", "\"frame\"", "unknown member \"frame\"");
    expect_refused("\"min_severity\": 1", "\"min_severity\": 9", "/min_severity");
    expect_refused("\"from\": \"time.first\"", "\"form\": \"time.first\"",
                   "/fields/0: unknown member \"form\"; did you mean \"from\"?");
    expect_refused("\"from\": \"time.first\"", "\"const\": 1, \"from\": \"time.first\"",
                   "/fields/0: must have exactly one of");
    expect_refused("\"from\": \"rule.title\"", "\"from\": \"user.name\"",
                   "/fields/6/from: reads \"user.name\", which /privacy/0/drop forbids");
    expect_refused("\"from\": \"rule.title\"", "\"from\": \"evidence\"", "forbids");
    expect_refused("\"enum\": \"sev4\"", "\"enum\": \"sev5\"",
                   "/fields/7/enum: there is no table \"sev5\"");
    expect_refused("\"emitted\": \"geoip\"", "\"emitted\": \"geo\"",
                   "/fields/16/emitted: there is no field \"geo\" beside it");
    expect_refused("\"out\": \"unit_id\"", "\"out\": \"vendor_id\"", "is there twice");
    expect_refused("\"as\": \"epoch_s\"", "\"as\": \"epoch\"",
                   "/fields/0/as: must be one of");
    expect_refused("\"dead\": [400", "\"dead\": [200, 400", "/ack/dead: entry 0");
    expect_refused("\"scheme\": \"raw-basic\"", "\"scheme\": \"digest\"",
                   "/transport/auth/scheme");
    expect_refused("\"method\": \"POST\"", "\"method\": \"GET\"", "/transport/method");
    expect_refused("\"path\": \"/api", "\"path\": \"api", "/transport/path");
    expect_refused("\"profile_id\": \"vn", "\"profile_id\": \"VN", "/profile_id");
    expect_refused("\"sha256\": \"", "\"sha256\": \"x", "/schema/sha256");
    expect_refused("{\"mask\": \"internal_ip_unregistered\"}", "{\"mask\": \"all\"}",
                   "/privacy/1/mask");
    expect_refused("\"absent\": {\"const\": 1}", "\"absent\": {\"value\": 1}",
                   "/fields/4: unknown member \"value\"");
    expect_refused("\"title\":", "\"status\": \"official\", \"title\":", "duplicate");
    expect_refused("}\n", "", "");
}

static void test_schema_file(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_buf text = read_source(SHIPPED);
    const char *path = hd_test_path(dir, "p.json");
    assert_int_equal(hd_fs_write_atomic(path, hd_buf_slice(&text), 0644), HD_OK);
    struct hd_diag_first first = {""};
    struct hd_diags diags = {.emit = hd_diag_keep_first, .ctx = &first};
    struct fwd_profile *bad = NULL;
    assert_int_equal(fwd_profile_load(path, &diags, &bad), HD_ENOENT);
    assert_non_null(strstr(first.text, "/schema/file"));

    const char *schema_path = hd_test_path(dir, "vn-ncsc-alert-0.1.0.schema.json");
    assert_int_equal(hd_fs_write_atomic(schema_path, HD_SLICE("{}"), 0644), HD_OK);
    first.text[0] = '\0';
    assert_int_equal(fwd_profile_load(path, &diags, &bad), HD_EPARSE);
    assert_non_null(strstr(first.text, "/schema/sha256"));
    first.text[0] = '\0';
    assert_int_equal(fwd_profile_load("/no/such", &diags, &bad), HD_ENOENT);
    assert_non_null(strstr(first.text, "/no/such"));
    hd_buf_fini(&text);
}

/* Another format is another file: an IDMEF-like profile with other names and framing. */
static void test_other_profile(void **state)
{
    (void)state;
    static const char text[] =
        "{\"profile_id\":\"idmef-like\",\"version\":\"1\",\"status\":\"assumed\","
        "\"transport\":{\"path\":\"/\",\"content_type\":\"application/json\"},"
        "\"framing\":\"array\",\"schema\":{\"file\":\"x\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\"},"
        "\"fields\":[{\"out\":\"ID\",\"from\":\"id\"},"
        "{\"out\":\"CreateTime\",\"from\":\"time.first\",\"as\":\"rfc3339\",\"digits\":3}"
        ","
        "{\"out\":\"Millis\",\"from\":\"time.first\",\"as\":\"epoch_ms\"},"
        "{\"out\":\"Note\",\"from\":\"no.such\",\"absent\":\"null\"},"
        "{\"out\":\"Count\",\"from\":\"count\",\"as\":\"integer\",\"omit_if\":[6,7]},"
        "{\"out\":\"Source\",\"object\":[{\"out\":\"IP\",\"from\":\"source.ip\",\"as\":"
        "\"ip\","
        "\"mask\":true}]}],\"privacy\":[],\"ack\":{\"ok\":[200]}}";
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct fwd_profile *other = NULL;
    assert_int_equal(fwd_profile_parse(hd_slice_str(text), "o.json", &diags, &other),
                     HD_OK);
    json_t *alert = first_alert();
    struct hd_buf out;
    char why[256] = "";
    hd_buf_init(&out, FWD_MESSAGE_MAX);
    const struct fwd_render_opts none = {0};
    assert_int_equal(fwd_profile_render(other, alert, &none, &out, why), HD_OK);
    assert_string_equal(hd_buf_cstr(&out),
                        "[{\"ID\":\"5b1f3c7e-0a1b-8c2d-9e3f-000000000001\","
                        "\"CreateTime\":\"2026-11-21T07:50:37.123Z\","
                        "\"Millis\":1795247437123,\"Note\":null,"
                        "\"Source\":{\"IP\":\"203.0.0.0\"}}]");
    hd_buf_fini(&out);
    json_decref(alert);
    fwd_profile_free(other);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct hd_buf text = read_source(SHIPPED);
    json_t *alert = first_alert();
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_diags diags = {0};
        struct fwd_profile *one = NULL;
        struct hd_buf out;
        char why[256] = "";
        hd_buf_init(&out, FWD_MESSAGE_MAX);
        int err = fwd_profile_parse(hd_buf_slice(&text), "p.json", &diags, &one);
        if (err == HD_OK) {
            err = fwd_profile_render(one, alert, &opts, &out, why);
        }
        hd_test_alloc_stop();
        assert_true(err == HD_OK || hd_test_alloc_failed());
        hd_buf_fini(&out);
        fwd_profile_free(one);
    }
    json_decref(alert);
    hd_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_cannot_be_told),
        cmocka_unit_test(test_long_texts),    cmocka_unit_test(test_settings),
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_bad_profiles),
        cmocka_unit_test(test_schema_file),   cmocka_unit_test(test_other_profile),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
