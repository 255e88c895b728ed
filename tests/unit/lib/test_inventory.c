/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/alloc.h"
#include <haidang/csv.h>
#include <haidang/inventory.h>

/* ---- CSV ---- */

/* All cells as "[a][b]|" with '|' at row ends, "!line:col" for errors. */
static void csv_text(const char *text, char *out, size_t cap)
{
    struct hd_csv csv = hd_csv(hd_slice_str(text));
    struct hd_csv_cell cell;
    size_t n = 0;
    int rc;
    out[0] = '\0';
    while ((rc = hd_csv_next(&csv, &cell)) != 0) {
        if (rc < 0) {
            n += (size_t)snprintf(out + n, cap - n, "!%u:%u", cell.line, cell.column);
            continue;
        }
        struct hd_buf value;
        hd_buf_init(&value, 0);
        hd_csv_value(&cell, &value);
        n += (size_t)snprintf(out + n, cap - n, "[%s]%s", hd_buf_cstr(&value),
                              cell.ends_row ? "|" : "");
        hd_buf_fini(&value);
        assert_true(n < cap);
    }
}

static void csv_cells(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"a", "[a]|"},
        {"a,b\n", "[a][b]|"},
        {"a,b\r\nc,\r\n", "[a][b]|[c][]|"},
        {",", "[][]|"},
        {"\"a,b\",c", "[a,b][c]|"},
        {"\"a\nb\"\nc", "[a\nb]|[c]|"},
        {"\"say \"\"so\"\"\",x", "[say \"so\"][x]|"},
        {"\"\"\"\"", "[\"]|"},
        {"\"\",\"\"", "[][]|"},
        {"# note\n\n\na\n", "[a]|"},
        {"a\n#b,c\nd", "[a]|[d]|"},
        {"a,#b", "[a][#b]|"},
        {"\xef\xbb\xbfid,x", "[id][x]|"},
        {"a\rb", "[a\rb]|"},
        {"a,x\"y\nb", "[a]!1:4[b]|"},
        {"\"a\"b,c\nd", "!1:4[d]|"},
        {"a,\"b\nc\nd", "[a]!1:3[c]|[d]|"},
    };
    char got[512];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        csv_text(cases[i][0], got, sizeof(got));
        assert_string_equal(got, cases[i][1]);
    }
}

/* ---- inventory ---- */

struct messages {
    char text[8192];
    size_t n;
};

static void collect(void *ctx, const struct hd_diag *diag)
{
    struct messages *m = ctx;
    m->n += (size_t)snprintf(m->text + m->n, sizeof(m->text) - m->n, "%u:%u %s\n",
                             diag->line, diag->column, diag->text);
    assert_true(m->n < sizeof(m->text));
}

static struct hd_inventory *parse_ok(const char *text, const char *path)
{
    struct messages m = {0};
    struct hd_diags diags = {.emit = collect, .ctx = &m};
    struct hd_inventory *inv = NULL;
    int err = hd_inventory_parse(hd_slice_str(text), path, &inv, &diags);
    if (err != HD_OK) {
        print_error("%s", m.text);
    }
    assert_int_equal(err, HD_OK);
    return inv;
}

static void expect_messages(const char *text, const char *path, const char *const *want)
{
    struct messages m = {0};
    struct hd_diags diags = {.emit = collect, .ctx = &m};
    struct hd_inventory *inv = NULL;
    assert_int_equal(hd_inventory_parse(hd_slice_str(text), path, &inv, &diags),
                     HD_EPARSE);
    assert_null(inv);
    for (unsigned i = 0; want[i] != NULL; i++) {
        if (strstr(m.text, want[i]) == NULL) {
            print_error("missing \"%s\" in:\n%s", want[i], m.text);
        }
        assert_non_null(strstr(m.text, want[i]));
    }
}

static const struct hd_system *by_ip(const struct hd_inventory *inv, const char *text)
{
    struct hd_ip ip;
    assert_int_equal(hd_ip_parse(hd_slice_str(text), &ip), HD_OK);
    return hd_inventory_by_ip(inv, &ip);
}

static void check_two_systems(const struct hd_inventory *inv)
{
    assert_int_equal(hd_inventory_count(inv), 2);
    const struct hd_system *s = hd_inventory_by_host(inv, HD_SLICE("WEB1.example.vn"));
    assert_non_null(s);
    assert_string_equal(s->id, "cong-dvc");
    assert_string_equal(s->name, "Cổng dịch vụ công");
    assert_string_equal(s->agency, "Văn phòng UBND tỉnh");
    assert_string_equal(s->contact, "soc@example.vn");
    assert_int_equal(s->level, 3);
    assert_false(s->secret);
    assert_ptr_equal(hd_inventory_by_host(inv, HD_SLICE("web2")), s);
    assert_ptr_equal(by_ip(inv, "203.0.113.7"), s);
    assert_ptr_equal(by_ip(inv, "2001:db8:1::7"), s);
    const struct hd_system *t = by_ip(inv, "203.0.113.200");
    assert_non_null(t);
    assert_string_equal(t->id, "mat");
    assert_string_equal(t->contact, "");
    assert_int_equal(t->level, 0);
    assert_true(t->secret);
    assert_null(by_ip(inv, "198.51.100.1"));
    assert_null(hd_inventory_by_host(inv, HD_SLICE("web")));
    assert_null(hd_inventory_by_host(inv, HD_SLICE_EMPTY));
}

static void reads_csv(void **state)
{
    (void)state;
    struct hd_inventory *inv =
        parse_ok("id,name,agency,level,hosts,networks,contact,secret\n"
                 "cong-dvc,Cổng dịch vụ công,Văn phòng UBND tỉnh,3,web1.example.vn; web2,"
                 "\"203.0.113.0/24, 2001:db8:1::/48\",soc@example.vn,no\n"
                 "mat,Mật,,,,203.0.113.192/26,,yes\n",
                 "x.csv");
    check_two_systems(inv);
    hd_inventory_free(inv);
}

static void reads_yaml(void **state)
{
    (void)state;
    struct hd_inventory *inv =
        parse_ok("# systems\n"
                 "systems:\n"
                 "  - id: cong-dvc\n"
                 "    name: Cổng dịch vụ công\n"
                 "    agency: \"Văn phòng UBND tỉnh\"\n"
                 "    level: 3\n"
                 "    hosts: [web1.example.vn, web2]\n"
                 "    networks:\n"
                 "      - 203.0.113.0/24\n"
                 "      - 2001:db8:1::/48\n"
                 "    contact: soc@example.vn\n"
                 "  - {id: mat, name: Mật, level: ~, networks: 203.0.113.192/26, "
                 "secret: yes}\n",
                 "x.yaml");
    check_two_systems(inv);
    hd_inventory_free(inv);
}

static void reports_every_problem_of_a_csv(void **state)
{
    (void)state;
    expect_messages("id,name,level,hosts,networks,secret\n"
                    "a,A,3,web1,192.0.2.0/24,\n"
                    "a,B,3,,,\n"
                    "c,C,9,,,\n"
                    "d,D,,web1,192.0.2.0/24,maybe\n"
                    "e,,,,,\n"
                    ",F,,,,\n"
                    "g h,G,,,,\n"
                    "h,H,,\"web2, WEB1\",192.0.2.1/24 nonsense,,,\n"
                    "i,\"I\"x,,,,\n"
                    "j,J\xff,,,,\n",
                    "x.csv",
                    (const char *[]){"3:1 the id is taken by the system of line 2",
                                     "4:5 a level is a number from 1 to 5",
                                     "5:6 host \"web1\" belongs to the system of line 2",
                                     "5:11 the network belongs to the system of line 2",
                                     "5:24 say yes or no", "6:0 the system has no name",
                                     "7:0 the system has no id", "8:1 an id is 1 to 128",
                                     "9:13 host \"WEB1\" belongs",
                                     "9:19 the address has bits beyond its prefix",
                                     "9:32 not a network", "9:42 more cells than",
                                     "10:6 text after the closing quote",
                                     "11:3 the text is not UTF-8", NULL});
}

static void reports_problems_of_a_header(void **state)
{
    (void)state;
    expect_messages("", "x.csv", (const char *[]){"0:0 the file has no header", NULL});
    expect_messages("id,nam\n", "x.csv",
                    (const char *[]){"1:4 column \"nam\" is not known: left out; did you "
                                     "mean \"name\"?",
                                     "must name the columns", NULL});
    expect_messages("id,name,name_vi\n", "x.csv",
                    (const char *[]){"1:9 this column is in the table twice", NULL});
    expect_messages("id,name\n", "x.txt",
                    (const char *[]){"0:0 an inventory's name ends in", NULL});
}

static void reports_problems_of_a_yaml(void **state)
{
    (void)state;
    expect_messages(
        "systems:\n  - id: a\n    name: A\n    level: 7\n    level: 2\n"
        "    Level: 2\n    secret: [no, yes]\n    hosts: {a: b}\n"
        "  - id: a\n    name: Bảy\n    networks: [192.0.2.1/24]\n",
        "x.yml",
        (const char *[]){
            "5:5 key \"level\" is given again (first on line 4)",
            "4:12 a level is a number from 1 to 5", "6:12 given twice for this system",
            "7:18 given twice for this system", "8:12 expected a text or a list",
            "9:9 the id is taken", "11:16 the address has bits", NULL});
    static const char *const broken[] = {"",
                                         "[]",
                                         "systems: 3",
                                         "other: []",
                                         "systems: []\nsystems: []\n",
                                         "{}",
                                         "systems:\n  - a\n",
                                         "systems:\n  - id: &x a\n    name: *x\n",
                                         "systems:\n  - [a]: b\n",
                                         "systems: [",
                                         "systems:\n  - id: {a: b}\n",
                                         "systems:\n  - hosts: [[a]]\n",
                                         "\tsystems: []\n"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct hd_diags diags = {0};
        struct hd_inventory *inv = NULL;
        assert_int_equal(
            hd_inventory_parse(hd_slice_str(broken[i]), "x.yml", &inv, &diags),
            HD_EPARSE);
        assert_true(diags.errors > 0);
    }
}

static void loads_a_published_inventory(void **state)
{
    (void)state;
    const char *path = hd_test_shared("inventory/systems.csv");
    if (path == NULL) {
        hd_test_skip("no shared inventory");
    }
    struct messages m = {0};
    struct hd_diags diags = {.emit = collect, .ctx = &m};
    struct hd_inventory *inv = NULL;
    int err = hd_inventory_load(path, &inv, &diags);
    print_message("%s", m.text);
    assert_int_equal(err, HD_OK);
    assert_int_equal(diags.warnings, 0);
    assert_int_equal(hd_inventory_count(inv), 493);
    assert_string_equal(hd_inventory_at(inv, 1)->name, "Công báo tỉnh Kon Tum");
    assert_null(hd_inventory_at(inv, 493));
    hd_inventory_free(inv);
}

static void loads_the_sample(void **state)
{
    (void)state;
    struct messages m = {0};
    struct hd_diags diags = {.emit = collect, .ctx = &m};
    struct hd_inventory *inv = NULL;
    int err =
        hd_inventory_load(hd_test_source("packaging/etc/inventory.csv"), &inv, &diags);
    print_message("%s", m.text);
    assert_int_equal(err, HD_OK);
    assert_int_equal(diags.warnings, 0);
    hd_inventory_free(inv);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"x.csv", "id,name,hosts,networks\na,A,web1; web2,192.0.2.0/24\nb,\"B\"\"\",,\n"},
        {"x.yml",
         "systems:\n  - {id: a, name: A, hosts: [web1], networks: 192.0.2.1}\n"}};
    for (size_t i = 0; i < 2; i++) {
        HD_TEST_ALLOC_EACH(n)
        {
            struct hd_diags diags = {0};
            struct hd_inventory *inv = NULL;
            int err =
                hd_inventory_parse(hd_slice_str(texts[i][1]), texts[i][0], &inv, &diags);
            hd_test_alloc_stop();
            assert_true((err == HD_OK) == (inv != NULL));
            assert_true(err == HD_OK || err == HD_ENOMEM || err == HD_EPARSE);
            hd_inventory_free(inv);
        }
    }
}

static void a_missing_file_is_said_so(void **state)
{
    (void)state;
    struct messages m = {0};
    struct hd_diags diags = {.emit = collect, .ctx = &m};
    struct hd_inventory *inv = NULL;
    assert_int_equal(hd_inventory_load("/nonexistent/x.csv", &inv, &diags), HD_ENOENT);
    assert_non_null(strstr(m.text, "cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_cells),
        cmocka_unit_test(reads_csv),
        cmocka_unit_test(reads_yaml),
        cmocka_unit_test(reports_every_problem_of_a_csv),
        cmocka_unit_test(reports_problems_of_a_header),
        cmocka_unit_test(reports_problems_of_a_yaml),
        cmocka_unit_test(loads_a_published_inventory),
        cmocka_unit_test(loads_the_sample),
        cmocka_unit_test(survives_lack_of_memory),
        cmocka_unit_test(a_missing_file_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
