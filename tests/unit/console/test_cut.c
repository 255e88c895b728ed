/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <haidang/utf8.h>

#include "console/cut.h"

static void check(const char *text, size_t columns, const char *want)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    con_cut(&out, hd_slice_str(text), columns);
    assert_string_equal(hd_buf_cstr(&out), want);
    hd_buf_fini(&out);
}

static void test_lines_are_cut_at_the_width(void **state)
{
    (void)state;
    check("", 5, "");
    check("\n", 5, "\n");
    check("12345\n", 5, "12345\n");
    check("123456\n", 5, "1234…\n");
    check("123456", 5, "1234…");
    check("123456\n12\n\nabcdef\n", 3, "12…\n12\n\nab…\n");
    check("123456\n", 0, "123456\n");
    check("12\n", 1, "…\n");
}

/* Vietnamese, composed and decomposed; wide characters take two columns. */
static void test_characters_stay_whole(void **state)
{
    (void)state;
    check("Dò mật khẩu\n", 7, "Dò mật…\n");
    check("a\u0302\u0301bc\n", 2, "a\u0302\u0301…\n");
    check("灯塔灯塔\n", 6, "灯塔…\n");
    check("灯塔灯塔\n", 5, "灯塔…\n");
    check("灯塔\n", 4, "灯塔\n");
    for (size_t columns = 1; columns < 40; columns++) {
        struct hd_buf out;
        hd_buf_init(&out, 0);
        con_cut(&out, HD_SLICE("Cảnh báo: 灯塔 – tấn công dò mật khẩu SSH ×12"), columns);
        assert_true(hd_utf8_is_valid(hd_buf_slice(&out)));
        assert_true(hd_utf8_width(hd_buf_slice(&out)) <= columns);
        hd_buf_fini(&out);
    }
}

static void test_colours_take_no_room_and_end(void **state)
{
    (void)state;
    check("\033[31mHIGH\033[0m ssh\n", 8, "\033[31mHIGH\033[0m ssh\n");
    check("\033[31mHIGH\033[0m ssh\n", 4, "\033[31mHIG…\033[0m\n");
    check("\033[31mHIGH\033[0m ssh\n", 6, "\033[31mHIGH\033[0m …\033[0m\n");
}

/* The width is that of the window now; what is no terminal has none. */
static void test_the_terminal_is_asked(void **state)
{
    (void)state;
    int fds[2];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    struct winsize size = {.ws_row = 24, .ws_col = 77};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    assert_int_equal(con_cut_columns(master), 77);
    size.ws_col = 132;
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    assert_int_equal(con_cut_columns(master), 132);
    assert_int_equal(close(master), 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(con_cut_columns(fds[1]), 0);
    assert_int_equal(close(fds[0]) + close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_cut_at_the_width),
        cmocka_unit_test(test_characters_stay_whole),
        cmocka_unit_test(test_colours_take_no_room_and_end),
        cmocka_unit_test(test_the_terminal_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
