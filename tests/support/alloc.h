/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation failure on purpose. A test that uses this links its own malloc, calloc and
 * realloc in front of the C library's; failing is counted per thread, so that threads of
 * a library do not disturb. Off under ASan and TSan, which bring allocators of their own:
 * hd_test_alloc_can_fail() says so, and the loop below runs once without a failure.
 *
 *     HD_TEST_ALLOC_EACH(n) {
 *         int err = thing_new(&thing);
 *         hd_test_alloc_stop();
 *         assert_true(err == HD_OK || err == HD_ENOMEM);
 *         ...
 *     }
 */
#pragma once
#include <stdbool.h>

bool hd_test_alloc_can_fail(void);

/* The n-th allocation of this thread from now fails, and all later ones succeed; 0 =
 * none. */
void hd_test_alloc_fail_at(unsigned n);
/* Allocations succeed again. */
void hd_test_alloc_stop(void);
/* Did the failure asked for last happen? */
bool hd_test_alloc_failed(void);
/* What the test itself does in between must not count. */
unsigned hd_test_alloc_pause(void);
void hd_test_alloc_resume(unsigned paused);
/* The same for the thread of this name (of the kernel's: 15 bytes), whoever asks. One
 * such failure at a time. */
void hd_test_alloc_fail_in(const char *thread, unsigned n);
bool hd_test_alloc_failed_in(void);

/* Lets the 1st, 2nd, 3rd ... allocation of the body fail, until the body needs fewer. */
#define HD_TEST_ALLOC_EACH(n)                                                            \
    for (unsigned n = 1, n##_more = 1; n##_more && (hd_test_alloc_fail_at(n), true);     \
         hd_test_alloc_stop(), n##_more = hd_test_alloc_failed(), n++)
