/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <errno.h>
#include <string.h>

#include <haidang/err.h>

static void names_and_texts(void **state)
{
    (void)state;
    assert_string_equal(hd_err_name(HD_ENOMEM), "HD_ENOMEM");
    assert_string_equal(hd_err_text(HD_EFULL),
                        "a bounded queue, window or table is full");
    assert_string_equal(hd_err_name(0), "HD_OK");
    assert_string_equal(hd_err_name(-9999), "HD_UNKNOWN");
    for (int err = HD_EBUG; err <= 0; err++) {
        assert_string_not_equal(hd_err_name(err), "HD_UNKNOWN");
        assert_true(strlen(hd_err_text(err)) > 0);
    }
}

static void errno_maps(void **state)
{
    (void)state;
    assert_int_equal(hd_err_from_errno(ENOENT), HD_ENOENT);
    assert_int_equal(hd_err_from_errno(ENOSPC), HD_ENOSPC);
    assert_int_equal(hd_err_from_errno(EADDRINUSE), HD_EBUSY);
    assert_int_equal(hd_err_from_errno(99999), HD_EIO);
    assert_int_equal(hd_err_from_errno(0), HD_OK);
}

static void fails_is_true_only_on_failure(void **state)
{
    (void)state;
    assert_false(hd_fails(1 + 1 == 2));
    assert_true(hd_fails(1 + 1 == 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_texts),
        cmocka_unit_test(errno_maps),
        cmocka_unit_test(fails_is_true_only_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
