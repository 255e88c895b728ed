/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Read by ThreadSanitizer at start. libuv closes descriptors with raw system calls, which
 * it does not see: it takes the next owner of a number for the one before. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:hd_fs_close_fd\n"
           "race:sys_close\n";
}

/* A test forks a program that begins threads, after threads that have ended but that the
 * tool may not have seen end; it would end the child. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

static char made[64][256];
static size_t n_made;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_all(void)
{
    for (size_t i = 0; i < n_made; i++) {
        (void)nftw(made[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *hd_test_tmpdir(void)
{
    assert_true(n_made < sizeof(made) / sizeof(made[0]));
    const char *base = getenv("TMPDIR");
    char *path = made[n_made];
    (void)snprintf(path, sizeof(made[0]), "%s/haidang-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    if (n_made++ == 0) {
        (void)atexit(remove_all);
    }
    return path;
}

const char *hd_test_source(const char *relative)
{
    static char path[4096];
    const char *base = getenv("HD_SOURCE_DIR");
    (void)snprintf(path, sizeof(path), "%s/%s", base ? base : ".", relative);
    return path;
}

const char *hd_test_shared(const char *name)
{
    static char path[4096];
    const char *given = getenv("HD_SHARED_DIR");
    const char *base = getenv("HD_SOURCE_DIR");
    if (given != NULL) {
        (void)snprintf(path, sizeof(path), "%s/data/%s", given, name);
    } else {
        (void)snprintf(path, sizeof(path), "%s/../shared/data/%s", base ? base : ".",
                       name);
    }
    return access(path, R_OK) == 0 ? path : NULL;
}
