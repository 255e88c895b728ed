/* SPDX-License-Identifier: Apache-2.0
 *
 * Which lines are canaries.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/canary_gate.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#define WINDOW_NS (300 * HD_NS_PER_SEC)
#define NOW_NS    (INT64_C(1790000000) * HD_NS_PER_SEC)
#define ID        "00112233445566778899aabbccddeeff"

static char dir[512], trusted_dir[600];
static struct hd_sign_key *trusted, *foreign;
static struct hd_canary_keys *keys;
static struct hd_buf line;

static void make_key(const char *below, const char *name, struct hd_sign_key **out)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, below);
    assert_int_equal(hd_fs_mkdirs(path, 0700), HD_OK);
    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, below, name);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, out), HD_OK);
}

static int setup(void **state)
{
    (void)state;
    struct hd_diags diags = {0};
    (void)snprintf(dir, sizeof(dir), "%s", hd_test_tmpdir());
    (void)snprintf(trusted_dir, sizeof(trusted_dir), "%s/trusted", dir);
    make_key("trusted", "a", &trusted);
    make_key("other", "b", &foreign);
    hd_buf_init(&line, 0);
    return hd_canary_keys_load(trusted_dir, WINDOW_NS, &diags, &keys);
}

static int teardown(void **state)
{
    (void)state;
    hd_canary_keys_unref(keys);
    hd_sign_key_free(trusted);
    hd_sign_key_free(foreign);
    hd_buf_fini(&line);
    return 0;
}

static struct hd_slice signed_line(const struct hd_sign_key *key, int64_t time_ns)
{
    struct hd_canary c = {.id = HD_SLICE(ID),
                          .part = 1,
                          .parts = 1,
                          .class = HD_CANARY_UDP,
                          .rule = HD_SLICE("r1"),
                          .time_ns = time_ns,
                          .message = HD_SLICE("Failed password for root")};
    hd_buf_clear(&line);
    assert_int_equal(hd_canary_write(&c, key, HD_SLICE("h"), &line), HD_OK);
    return hd_buf_slice(&line);
}

static enum hd_canary_verdict judge(struct hd_canary_gate *gate, struct hd_slice text)
{
    struct hd_canary out;
    return hd_canary_judge(gate, text, NOW_NS, &out);
}

static void only_a_trusted_key_makes_a_canary(void **state)
{
    (void)state;
    struct hd_canary_gate gate = {.keys = keys}, none = {.keys = NULL};
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS)), HD_GATE_CANARY);
    assert_int_equal(judge(&none, hd_buf_slice(&line)), HD_GATE_LINE);
    line.ptr[line.len - 1] ^= 1;
    assert_int_equal(judge(&gate, hd_buf_slice(&line)), HD_GATE_FORGED);
    assert_int_equal(judge(&gate, signed_line(foreign, NOW_NS)), HD_GATE_FORGED);
    assert_int_equal(
        judge(&gate, HD_SLICE("<110>1 t h haidang-canary - - - Failed password")),
        HD_GATE_FORGED);
    assert_int_equal(judge(&gate, HD_SLICE("<34>Oct 11 22:14:15 h su: failed")),
                     HD_GATE_LINE);
}

static void an_old_one_is_neither_test_nor_attack(void **state)
{
    (void)state;
    struct hd_canary_gate gate = {.keys = keys};
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS - WINDOW_NS)),
                     HD_GATE_CANARY);
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS + WINDOW_NS)),
                     HD_GATE_CANARY);
    assert_int_equal(
        judge(&gate, signed_line(trusted, NOW_NS - WINDOW_NS - HD_NS_PER_MS)),
        HD_GATE_STALE);
    assert_int_equal(
        judge(&gate, signed_line(trusted, NOW_NS + WINDOW_NS + HD_NS_PER_MS)),
        HD_GATE_STALE);
    /* a forged one that is old is forged */
    assert_int_equal(judge(&gate, signed_line(foreign, 0)), HD_GATE_FORGED);
}

/* A flood of forged lines may cost so much of a batch, and no more. */
static void signatures_looked_at_are_bounded(void **state)
{
    (void)state;
    struct hd_canary_gate gate = {.keys = keys};
    struct hd_slice bad = signed_line(foreign, NOW_NS);
    for (unsigned i = 0; i < 2 * HD_GATE_FORGED_MAX; i++) {
        assert_int_equal(judge(&gate, bad), HD_GATE_FORGED);
    }
    assert_int_equal(gate.checks, HD_GATE_FORGED_MAX);
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS)), HD_GATE_FORGED);
    hd_canary_begin_batch(&gate);
    unsigned n = 0;
    while (judge(&gate, hd_buf_slice(&line)) == HD_GATE_CANARY) {
        n++;
    }
    assert_int_equal(n, HD_GATE_CHECKS_MAX);
}

static void keys_that_cannot_be_used_are_told(void **state)
{
    (void)state;
    char path[1024];
    struct hd_canary_keys *got = NULL;
    struct hd_diags diags = {0};
    (void)snprintf(path, sizeof(path), "%s/absent", dir);
    assert_int_equal(hd_canary_keys_load(path, WINDOW_NS, &diags, &got), HD_ENOENT);
    assert_int_equal(diags.errors, 1);
    (void)snprintf(path, sizeof(path), "%s/empty", dir);
    assert_int_equal(hd_fs_mkdirs(path, 0700), HD_OK);
    assert_int_equal(hd_canary_keys_load(path, WINDOW_NS, &diags, &got), HD_EINVAL);
    assert_int_equal(diags.errors, 2);
    (void)snprintf(path, sizeof(path), "%s/empty/x.pub", dir);
    assert_int_equal(hd_fs_write_atomic(path, HD_SLICE("no key"), 0600), HD_OK);
    (void)snprintf(path, sizeof(path), "%s/empty", dir);
    assert_int_equal(hd_canary_keys_load(path, WINDOW_NS, &diags, &got), HD_EPARSE);
    assert_int_equal(diags.errors, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_trusted_key_makes_a_canary),
        cmocka_unit_test(an_old_one_is_neither_test_nor_attack),
        cmocka_unit_test(signatures_looked_at_are_bounded),
        cmocka_unit_test(keys_that_cannot_be_used_are_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
