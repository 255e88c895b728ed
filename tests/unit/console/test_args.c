/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of haidang, through its real command table.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/command.h"

static int parse(const char *const *words, int n, struct con_args *args, bool *help)
{
    static char copy[16][64];
    static char *argv[17];
    int used = 0;
    for (int i = 0; i < n; i++) {
        (void)snprintf(copy[i], sizeof(copy[i]), "%s", words[i]);
        argv[i] = copy[i];
    }
    argv[n] = NULL;
    const struct con_command *command = con_command_find(n, argv, &used);
    assert_non_null(command);
    return con_args_parse(command, n - used + 1, argv + used - 1, args, help);
}

static void test_two_word_commands(void **state)
{
    (void)state;
    struct con_args args;
    bool help;
    const char *words[] = {"ca", "issue", "--host", "a", "-H", "b", "web1", "--server"};
    assert_int_equal(parse(words, 8, &args, &help), 0);
    assert_int_equal(args.n_operands, 1);
    assert_string_equal(args.operands[0], "web1");
    assert_int_equal(args.n_list, 2);
    assert_string_equal(args.list[1], "b");
    assert_true(con_args_flag(&args, "server"));
    assert_null(con_args_value(&args, "days"));
}

static void test_lists_are_told_apart(void **state)
{
    (void)state;
    struct con_args args;
    bool help;
    size_t hosts = 0, agents = 0, sources = 0;
    const char *words[] = {"search", "-H", "a", "--agent=x", "--host", "b", "pattern"};
    assert_int_equal(parse(words, 7, &args, &help), 0);
    assert_string_equal(con_args_next(&args, "host", &hosts), "a");
    assert_string_equal(con_args_next(&args, "agent", &agents), "x");
    assert_string_equal(con_args_next(&args, "host", &hosts), "b");
    assert_null(con_args_next(&args, "host", &hosts));
    assert_null(con_args_next(&args, "agent", &agents));
    assert_null(con_args_next(&args, "source", &sources));
}

static void test_values_and_flags(void **state)
{
    (void)state;
    struct con_args args;
    bool help;
    const char *words[] = {"tail", "-s", "high", "--json", "--since=2h"};
    assert_int_equal(parse(words, 5, &args, &help), 0);
    assert_string_equal(con_args_value(&args, "severity"), "high");
    assert_string_equal(con_args_value(&args, "since"), "2h");
    assert_true(con_args_flag(&args, "json"));
    assert_false(con_args_flag(&args, "utc"));
}

static void test_wrong_lines_are_refused(void **state)
{
    (void)state;
    struct con_args args;
    bool help;
    const char *unknown[] = {"tail", "--colour"};
    assert_int_equal(parse(unknown, 2, &args, &help), HD_EINVAL);
    const char *missing[] = {"decode"};
    assert_int_equal(parse(missing, 1, &args, &help), HD_EINVAL);
    const char *many[] = {"ca", "revoke", "a", "b"};
    assert_int_equal(parse(many, 4, &args, &help), HD_EINVAL);
    const char *asks[] = {"decode", "--help"};
    assert_int_equal(parse(asks, 2, &args, &help), 0);
    assert_true(help);
}

static void test_table_is_sound(void **state)
{
    (void)state;
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        size_t n = 0;
        assert_non_null(c->run);
        assert_non_null(c->summary);
        assert_non_null(c->summary_vi);
        for (const struct con_option *o = c->options; o != NULL && o->name != NULL; o++) {
            assert_true((o->kind == CON_FLAG) == (o->value == NULL));
            assert_non_null(o->help);
            n++;
        }
        assert_true(n < CON_OPTIONS_MAX);
    }
}

/* The overview as somebody with this LC_ALL sees it. */
static const char *overview_in(const char *locale)
{
    static char text[4096];
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(setenv("LC_ALL", locale, 1), 0);
    con_overview(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_overview_speaks_the_language_of_the_environment(void **state)
{
    (void)state;
    const char *vi = overview_in("vi_VN.UTF-8");
    assert_non_null(strstr(vi, "cách dùng: haidang LỆNH"));
    assert_non_null(strstr(vi, "hiển thị cảnh báo ngay khi phát sinh"));
    const char *en = overview_in("C.UTF-8");
    assert_non_null(strstr(en, "usage: haidang COMMAND"));
    assert_non_null(strstr(en, "shows alerts as they come"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_word_commands),
        cmocka_unit_test(test_lists_are_told_apart),
        cmocka_unit_test(test_values_and_flags),
        cmocka_unit_test(test_wrong_lines_are_refused),
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_overview_speaks_the_language_of_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
