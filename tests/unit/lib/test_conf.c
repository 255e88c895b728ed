/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/alloc.h"
#include <haidang/buf.h>
#include <haidang/conf.h>
#include <haidang/fs.h>

struct inner {
    char *cert;
    int64_t wait_ns;
};

struct entry {
    int kind;
    char *name;
    char **paths;
    size_t n_paths;
    struct inner tls;
};

struct target {
    bool on;
    int64_t count;
    uint64_t bytes;
    int64_t every_ns;
    char *name;
    char *dir;
    int level;
    char **hosts;
    size_t n_hosts;
    struct inner tls;
    struct entry *entries;
    size_t n_entries;
};

#define AT(field)   .offset = offsetof(struct target, field)
#define AT_E(field) .offset = offsetof(struct entry, field)
#define AT_I(field) .offset = offsetof(struct inner, field)

static const char *const levels[] = {"error", "warn", "info", NULL};

static const struct hd_conf_item inner_items[] = {
    {.key = "cert", .type = HD_CONF_PATH, AT_I(cert), .required = true, .help = "Cert."},
    {.key = "wait",
     .type = HD_CONF_DURATION,
     AT_I(wait_ns),
     .def = "5s",
     .help = "Wait."},
    {0}};

static const struct hd_conf_item entry_items[] = {
    {.key = "kind",
     .type = HD_CONF_ENUM,
     AT_E(kind),
     .names = levels,
     .required = true,
     .help = "Kind."},
    {.key = "name", .type = HD_CONF_STRING, AT_E(name), .def = "none", .help = "Name."},
    {.key = "paths",
     .type = HD_CONF_STRINGS,
     AT_E(paths),
     .count_offset = offsetof(struct entry, n_paths),
     .help = "Paths."},
    {.key = "tls",
     .type = HD_CONF_SECTION,
     AT_E(tls),
     .sub = inner_items,
     .help = "TLS."},
    {0}};

static const struct hd_conf_item items[] = {
    {.key = "on", .type = HD_CONF_BOOL, AT(on), .def = "true", .help = "Switch."},
    {.key = "count",
     .type = HD_CONF_INT,
     AT(count),
     .min = 1,
     .max = 10,
     .def = "3",
     .unit = "things",
     .help = "How many | what."},
    {.key = "bytes",
     .type = HD_CONF_SIZE,
     AT(bytes),
     .min = 1024,
     .max = 1 << 20,
     .def = "64KiB",
     .help = "Bytes."},
    {.key = "every",
     .type = HD_CONF_DURATION,
     AT(every_ns),
     .min = 1000000,
     .max = 60000000000,
     .def = "200ms",
     .help = "Period."},
    {.key = "name",
     .type = HD_CONF_STRING,
     AT(name),
     .min = 1,
     .max = 8,
     .required = true,
     .help = "The name."},
    {.key = "state_dir",
     .type = HD_CONF_PATH,
     AT(dir),
     .def = "/var/lib/x",
     .help = "Dir."},
    {.key = "level",
     .type = HD_CONF_ENUM,
     AT(level),
     .names = levels,
     .def = "info",
     .help = "Level."},
    {.key = "hosts",
     .type = HD_CONF_STRINGS,
     AT(hosts),
     .count_offset = offsetof(struct target, n_hosts),
     .min = 1,
     .max = 3,
     .def = "a, b",
     .help = "Hosts."},
    {.key = "tls", .type = HD_CONF_SECTION, AT(tls), .sub = inner_items, .help = "TLS."},
    {.key = "entries",
     .type = HD_CONF_LIST,
     AT(entries),
     .count_offset = offsetof(struct target, n_entries),
     .item_size = sizeof(struct entry),
     .min = 1,
     .max = 5,
     .sub = entry_items,
     .help = "Entries."},
    {0}};

static void check(const void *conf, const char *path, struct hd_diags *diags)
{
    const struct target *t = conf;
    if (strcmp(t->name, "crooked") == 0) {
        hd_diag_error(diags, path, 0, 0, "the name is crooked");
    }
}

static const struct hd_conf_schema schema = {items, sizeof(struct target), check};

struct reports {
    char text[8192];
};

static void keep(void *ctx, const struct hd_diag *diag)
{
    struct reports *r = ctx;
    size_t len = strlen(r->text);
    (void)snprintf(r->text + len, sizeof(r->text) - len, "%u:%u %s\n", diag->line,
                   diag->column, diag->text);
}

static struct reports reports;

static int parse_slice(struct hd_slice yaml, struct target *t)
{
    reports = (struct reports){{0}};
    struct hd_diags diags = {keep, &reports, 0, 0};
    int err = hd_conf_parse(yaml, "/etc/x/conf.yml", &schema, t, &diags);
    assert_int_equal(err != HD_OK && err != HD_ENOMEM, diags.errors > 0);
    return err;
}

static int parse(const char *yaml, struct target *t)
{
    return parse_slice(hd_slice_str(yaml), t);
}

static void reads_everything(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(parse("# comment\n"
                           "on: no\ncount: 10\nbytes: 1MiB\nevery: 1s\nname: 'x y'\n"
                           "state_dir: sub/dir\nlevel: warn\nhosts: [h1, \"h2\"]\n"
                           "tls: {cert: /c.pem, wait: 2m}\n"
                           "entries:\n"
                           "  - kind: error\n    paths: one\n"
                           "  - kind: warn\n    name: second\n    paths:\n      - a\n"
                           "      - b\n      - c\n    tls:\n      cert: k.pem\n",
                           &t),
                     HD_OK);
    assert_string_equal(reports.text, "");
    assert_false(t.on);
    assert_int_equal(t.count, 10);
    assert_int_equal(t.bytes, 1 << 20);
    assert_true(t.every_ns == 1000000000);
    assert_string_equal(t.name, "x y");
    assert_string_equal(t.dir, "/etc/x/sub/dir");
    assert_int_equal(t.level, 1);
    assert_int_equal(t.n_hosts, 2);
    assert_string_equal(t.hosts[1], "h2");
    assert_string_equal(t.tls.cert, "/c.pem");
    assert_true(t.tls.wait_ns == INT64_C(120000000000));
    assert_int_equal(t.n_entries, 2);
    assert_string_equal(t.entries[0].name, "none");
    assert_int_equal(t.entries[0].n_paths, 1);
    assert_null(t.entries[0].tls.cert);
    assert_true(t.entries[0].tls.wait_ns == INT64_C(5000000000));
    assert_string_equal(t.entries[1].paths[2], "c");
    assert_string_equal(t.entries[1].tls.cert, "/etc/x/k.pem");
    hd_conf_free(&schema, &t);
    assert_null(t.name);
}

static void defaults_fill_in(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(parse("name: n", &t), HD_OK);
    assert_true(t.on);
    assert_int_equal(t.count, 3);
    assert_int_equal(t.bytes, 65536);
    assert_string_equal(t.dir, "/var/lib/x");
    assert_int_equal(t.level, 2);
    assert_int_equal(t.n_hosts, 2);
    assert_string_equal(t.hosts[1], "b");
    assert_null(t.tls.cert);
    assert_true(t.tls.wait_ns == INT64_C(5000000000));
    assert_int_equal(t.n_entries, 0);
    hd_conf_free(&schema, &t);
}

static void refuses_with_place_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *report;
    } cases[] = {
        {"", "1:1 mandatory key \"name\" is missing: The name.\n"},
        {"# nothing\n", "1:1 mandatory key \"name\" is missing: The name.\n"},
        {"---\n...\n", "1:1 mandatory key \"name\" is missing: The name.\n"},
        {"name: n\ncuont: 1\n", "2:1 unknown key \"cuont\"; did you mean \"count\"?\n"},
        {"name: n\nzzzzzz: {a: [b]}\n", "2:1 unknown key \"zzzzzz\"\n"},
        {"name: n\ncount: 11\n", "2:8 count: \"11\" is out of range: 1 to 10 things\n"},
        {"name: n\ncount: x\n", "2:8 count: \"x\" is not a whole number\n"},
        {"name: n\ncount: 99999999999999999999\n",
         "2:8 count: \"99999999999999999999\" is out of range: 1 to 10 things\n"},
        {"name: n\nbytes: 1\n", "2:8 bytes: \"1\" is out of range: 1KiB to 1MiB\n"},
        {"name: n\nbytes: big\n",
         "2:8 bytes: \"big\" is not a size such as 512, 64KiB or 2GiB\n"},
        {"name: n\nevery: 2m\n", "2:8 every: \"2m\" is out of range: 1ms to 1m\n"},
        {"name: n\nevery: 5\n",
         "2:8 every: \"5\" is not a duration such as 200ms, 10s or 30d\n"},
        {"name: n\non: maybe\n", "2:5 on: \"maybe\" is not true or false\n"},
        {"name: n\nlevel: wran\n",
         "2:8 level: \"wran\" is not one of error, warn, info; did "
         "you mean \"warn\"?\n"},
        {"name: 123456789\n", "1:7 name: \"123456789\" is out of range: 1 to 8 bytes\n"},
        {"name: \"\"\n", "1:7 name: \"\" is out of range: 1 to 8 bytes\n"},
        {"name: \"a\\0b\"\n", "1:7 name: \"a\" has a NUL byte\n"},
        {"name:\n", "1:6 name: has no value (\"\" is the empty text)\n"},
        {"name: n\nname: m\n", "2:1 key \"name\" is given again (first on line 1)\n"},
        {"name: [n]\n", "1:7 name: must be a single value\n"},
        {"name: n\ntls: x\n", "2:6 tls: must be a section of \"key: value\" lines\n"},
        {"name: n\ntls: {wait: 1s}\n", "2:6 mandatory key \"cert\" is missing: Cert.\n"},
        {"name: n\nentries: x\n",
         "2:10 entries: must be a list (each entry starts with \"- \")\n"},
        {"name: n\nentries: [x]\n",
         "2:11 entries: must be a section of \"key: value\" lines\n"},
        {"name: n\nentries: []\n", "2:10 entries: needs at least 1 entries\n"},
        {"name: n\nhosts: []\n", "2:8 hosts: needs at least 1 entries\n"},
        {"name: n\nhosts: [a, b, c, longer-than-three]\n",
         "2:18 hosts: \"longer-than-three\" is one entry too many\n"},
        {"name: n\nhosts: [[a]]\n", "2:9 hosts: must be a single value\n"},
        {"name: n\n[a]: b\n", "2:1 a key must be a word\n"},
        {"- a\n", "1:1 must be \"key: value\" lines\n"},
        {"plain\n", "1:1 must be \"key: value\" lines\n"},
        {"name: n\n---\nname: m\n", "3:1 a second document: only one is allowed\n"},
        {"name: &a n\n", "1:7 anchors (&name) are not supported: write it out\n"},
        {"name: !!str n\n", "1:7 tags (!name) are not supported\n"},
        {"name: *a\n", "1:7 aliases (*name) are not supported: write it out\n"},
        {"name: crooked\n", "0:0 the name is crooked\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct target t;
        assert_int_equal(parse(cases[i].yaml, &t), HD_EPARSE);
        assert_string_equal(reports.text, cases[i].report);
        assert_null(t.name);
    }
}

static void tells_all_mistakes_at_once(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(parse("count: 0\nlevl: x\nentries:\n  - kind: nope\n  - name: y\n"
                           "    bad: [1, {2: 3}]\n",
                           &t),
                     HD_EPARSE);
    assert_string_equal(reports.text,
                        "1:8 count: \"0\" is out of range: 1 to 10 things\n"
                        "2:1 unknown key \"levl\"; did you mean \"level\"?\n"
                        "4:11 kind: \"nope\" is not one of error, warn, info\n"
                        "6:5 unknown key \"bad\"\n"
                        "5:5 mandatory key \"kind\" is missing: Kind.\n"
                        "1:1 mandatory key \"name\" is missing: The name.\n");
}

static void syntax_errors_have_a_place(void **state)
{
    (void)state;
    struct target t;
    assert_int_equal(parse("name: n\ncount: \"open\n", &t), HD_EPARSE);
    assert_non_null(strstr(reports.text, "3:1 not valid YAML: "));
    assert_int_equal(parse("name: n\n\tcount: 1\n", &t), HD_EPARSE);
    assert_non_null(strstr(reports.text, "2:1 not valid YAML: "));
    assert_int_equal(parse("name: \xff\n", &t), HD_EPARSE);
    assert_non_null(strstr(reports.text, "1:7 not UTF-8 text: "));
}

static void bounds_hold(void **state)
{
    (void)state;
    struct target t;
    struct hd_buf yaml;
    hd_buf_init(&yaml, 0);
    hd_buf_str(&yaml, "deep: ");
    for (int i = 0; i < 10000; i++) {
        hd_buf_byte(&yaml, '[');
    }
    assert_int_equal(parse_slice(hd_buf_slice(&yaml), &t), HD_EPARSE);
    assert_non_null(strstr(reports.text, "nested deeper than 32"));

    hd_buf_clear(&yaml);
    for (int i = 0; i < 1000; i++) {
        hd_buf_printf(&yaml, "unknown%d: 1\n", i);
    }
    assert_int_equal(parse_slice(hd_buf_slice(&yaml), &t), HD_EPARSE);
    assert_non_null(strstr(reports.text, "too many errors"));

    hd_buf_clear(&yaml);
    hd_buf_str(&yaml, "name: n\nentries:\n");
    for (int i = 0; i < 6; i++) {
        hd_buf_str(&yaml, "  - kind: info\n");
    }
    assert_int_equal(parse_slice(hd_buf_slice(&yaml), &t), HD_EPARSE);
    assert_string_equal(reports.text, "8:5 entries: more than 5 entries\n");

    hd_buf_clear(&yaml);
    hd_buf_str(&yaml, "name: n\nhosts:\n");
    for (int i = 0; i < 4097; i++) {
        hd_buf_str(&yaml, " - h\n");
    }
    assert_int_equal(parse_slice(hd_buf_slice(&yaml), &t), HD_EPARSE);
    assert_non_null(strstr(reports.text, "is one entry too many"));
    hd_buf_fini(&yaml);
}

static void files(void **state)
{
    (void)state;
    char path[512];
    struct target t;
    struct hd_diag_first first = {{0}};
    struct hd_diags diags = {hd_diag_keep_first, &first, 0, 0};
    (void)snprintf(path, sizeof(path), "%s/c.yml", hd_test_tmpdir());
    assert_int_equal(hd_conf_load(path, &schema, &t, &diags), HD_ENOENT);
    assert_non_null(strstr(first.text, "c.yml: error: cannot be read: not found"));
    assert_int_equal(hd_fs_write_atomic(path, HD_SLICE("name: n\nstate_dir: d\n"), 0600),
                     0);
    assert_int_equal(hd_conf_load(path, &schema, &t, &diags), HD_OK);
    assert_memory_equal(t.dir, path, strlen(path) - strlen("c.yml"));
    hd_conf_free(&schema, &t);
    static char big[(1 << 20) + 1];
    memset(big, '#', sizeof(big));
    assert_int_equal(hd_fs_write_atomic(path, hd_slice(big, sizeof(big)), 0600), 0);
    assert_int_equal(hd_conf_load(path, &schema, &t, &diags), HD_ELIMIT);
}

static void out_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct target t;
        struct hd_diags diags = {0};
        int err =
            hd_conf_parse(HD_SLICE("name: n\nhosts: [a, b, c]\nentries: [{kind: warn, "
                                   "paths: [x, y], tls: {cert: c}}]\n"),
                          "f", &schema, &t, &diags);
        hd_test_alloc_stop();
        assert_int_equal(err, hd_test_alloc_failed() ? HD_ENOMEM : HD_OK);
        hd_conf_free(&schema, &t);
    }
}

static void manual(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    hd_conf_manual(&schema, out);
    (void)fclose(out);
    static const char *const rows[] = {
        "| key | type | default | meaning |\n|---|---|---|---|\n",
        "| `count` | number, 1 to 10 things | `3` | How many \\| what. |\n",
        "| `bytes` | size, 1KiB to 1MiB | `64KiB` | Bytes. |\n",
        "| `name` | text, 1 to 8 bytes | **required** | The name. |\n",
        "| `level` | one of `error`, `warn`, `info` | `info` | Level. |\n",
        "| `entries[]` | list of sections, 1 to 5 entries |  | Entries. |\n",
        "| `entries[].tls.wait` | duration | `5s` | Wait. |\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strstr(text, rows[i]) == NULL) {
            print_error("no row %s in:\n%s", rows[i], text);
            fail();
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(defaults_fill_in),
        cmocka_unit_test(refuses_with_place_and_reason),
        cmocka_unit_test(tells_all_mistakes_at_once),
        cmocka_unit_test(syntax_errors_have_a_place),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(files),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
