/* SPDX-License-Identifier: Apache-2.0
 *
 * What every unit test may use. Temporary directories are removed by the program's exit.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A fresh directory below $TMPDIR; removed with everything in it at exit. */
const char *hd_test_tmpdir(void);

/* Path of a file in the source tree: hd_test_source("tests/data/x"). Static buffer. */
const char *hd_test_source(const char *relative);

/* Path of shared test material (../shared/data/NAME beside the checkout), or NULL when it
 * is not there: the test then says hd_test_skip("..."). Static buffer. */
const char *hd_test_shared(const char *name);

/* Prints the reason and skips the running cmocka test. */
#define hd_test_skip(reason)                                                             \
    do {                                                                                 \
        print_message("SKIPPED: %s\n", (reason));                                        \
        skip();                                                                          \
    } while (0)
