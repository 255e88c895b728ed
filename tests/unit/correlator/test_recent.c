/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>

#include "correlator/state/recent.h"

static const char *id(unsigned n)
{
    static char text[64];
    (void)snprintf(text, sizeof(text), "00000000-0000-8000-8000-%012u", n);
    return text;
}

static void remembers_the_newest_ids(void **state)
{
    (void)state;
    struct cor_recent *r;
    assert_int_equal(cor_recent_new(100, &r), HD_OK);
    for (unsigned i = 0; i < 1000; i++) {
        assert_false(cor_recent_has(r, id(i)));
        assert_int_equal(cor_recent_add(r, id(i)), HD_OK);
        assert_int_equal(cor_recent_add(r, id(i)), HD_OK);
        assert_true(cor_recent_has(r, id(i)));
        if (i >= 100) {
            assert_true(cor_recent_has(r, id(i - 99)));
            assert_false(cor_recent_has(r, id(i - 100)));
        }
    }
    assert_int_equal(cor_recent_add(r, "short"), HD_EINVAL);
    assert_false(cor_recent_has(r, "short"));
    cor_recent_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_the_newest_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
