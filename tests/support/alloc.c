/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR 1
#endif

static _Thread_local unsigned countdown;
static _Thread_local bool happened;

static char other_name[16];
static atomic_uint other_countdown;
static atomic_bool other_happened;

bool hd_test_alloc_can_fail(void)
{
    return OWN_ALLOCATOR;
}

void hd_test_alloc_fail_at(unsigned n)
{
    happened = false;
    countdown = n;
}

void hd_test_alloc_stop(void)
{
    countdown = 0;
}

bool hd_test_alloc_failed(void)
{
    return happened;
}

unsigned hd_test_alloc_pause(void)
{
    unsigned left = countdown;
    countdown = 0;
    return left;
}

void hd_test_alloc_resume(unsigned paused)
{
    countdown = paused;
}

void hd_test_alloc_fail_in(const char *thread, unsigned n)
{
    size_t len = strnlen(thread, sizeof(other_name) - 1);
    atomic_store(&other_countdown, 0);
    memset(other_name, 0, sizeof(other_name));
    memcpy(other_name, thread, len);
    atomic_store(&other_happened, false);
    atomic_store(&other_countdown, n);
}

bool hd_test_alloc_failed_in(void)
{
    return atomic_load(&other_happened);
}

#if OWN_ALLOCATOR

/* glibc's own names of its allocator, exported for this use. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *ptr, size_t size);

static bool fails_in_other(void)
{
    char name[16] = "";
    if (atomic_load(&other_countdown) == 0 || prctl(PR_GET_NAME, name) != 0 ||
        strcmp(name, other_name) != 0 || atomic_fetch_sub(&other_countdown, 1) != 1) {
        return false;
    }
    atomic_store(&other_happened, true);
    errno = ENOMEM;
    return true;
}

static bool fails_now(void)
{
    if (fails_in_other()) {
        return true;
    }
    if (countdown == 0 || --countdown > 0) {
        return false;
    }
    happened = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails_now() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *ptr, size_t size)
{
    return fails_now() ? NULL : __libc_realloc(ptr, size);
}

#endif
