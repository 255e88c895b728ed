/* SPDX-License-Identifier: Apache-2.0
 *
 * Which lines are canaries, and what is remembered of them. What becomes of a canary in
 * the correlator as a whole: tests/e2e/test_canary.py.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/fs.h>

#include "correlator/canary/gate.h"
#include "correlator/canary/proofs.h"
#include "correlator/metrics.h"

#define WINDOW_NS (300 * HD_NS_PER_SEC)
#define NOW_NS    (INT64_C(1790000000) * HD_NS_PER_SEC)
#define ID        "00112233445566778899aabbccddeeff"

static char dir[512], trusted_dir[600];
static struct hd_sign_key *trusted, *foreign;
static struct cor_canary_keys *keys;
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
    return cor_canary_keys_load(trusted_dir, WINDOW_NS, &diags, &keys);
}

static int teardown(void **state)
{
    (void)state;
    cor_canary_keys_free(keys);
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

static enum cor_gate_verdict judge(struct cor_gate *gate, struct hd_slice text)
{
    struct hd_canary out;
    return cor_gate_judge(gate, text, NOW_NS, &out);
}

static void only_a_trusted_key_makes_a_canary(void **state)
{
    (void)state;
    struct cor_gate gate = {.keys = keys}, none = {.keys = NULL};
    uint64_t forged = COR_READ(COR_M_CANARIES_FORGED);
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS)), COR_GATE_CANARY);
    assert_int_equal(judge(&none, hd_buf_slice(&line)), COR_GATE_LINE);
    line.ptr[line.len - 1] ^= 1;
    assert_int_equal(judge(&gate, hd_buf_slice(&line)), COR_GATE_LINE);
    assert_int_equal(judge(&gate, signed_line(foreign, NOW_NS)), COR_GATE_LINE);
    assert_int_equal(
        judge(&gate, HD_SLICE("<110>1 t h haidang-canary - - - Failed password")),
        COR_GATE_LINE);
    assert_int_equal(COR_READ(COR_M_CANARIES_FORGED), forged + 3);
    assert_int_equal(judge(&gate, HD_SLICE("<34>Oct 11 22:14:15 h su: failed")),
                     COR_GATE_LINE);
    assert_int_equal(COR_READ(COR_M_CANARIES_FORGED), forged + 3);
}

static void an_old_one_is_neither_test_nor_attack(void **state)
{
    (void)state;
    struct cor_gate gate = {.keys = keys};
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS - WINDOW_NS)),
                     COR_GATE_CANARY);
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS + WINDOW_NS)),
                     COR_GATE_CANARY);
    assert_int_equal(
        judge(&gate, signed_line(trusted, NOW_NS - WINDOW_NS - HD_NS_PER_MS)),
        COR_GATE_STALE);
    assert_int_equal(
        judge(&gate, signed_line(trusted, NOW_NS + WINDOW_NS + HD_NS_PER_MS)),
        COR_GATE_STALE);
    /* a forged one that is old is forged */
    assert_int_equal(judge(&gate, signed_line(foreign, 0)), COR_GATE_LINE);
}

/* A flood of forged lines may cost so much of a batch, and no more. */
static void signatures_looked_at_are_bounded(void **state)
{
    (void)state;
    struct cor_gate gate = {.keys = keys};
    struct hd_slice bad = signed_line(foreign, NOW_NS);
    for (unsigned i = 0; i < 2 * COR_GATE_FORGED_MAX; i++) {
        assert_int_equal(judge(&gate, bad), COR_GATE_LINE);
    }
    assert_int_equal(gate.checks, COR_GATE_FORGED_MAX);
    assert_int_equal(judge(&gate, signed_line(trusted, NOW_NS)), COR_GATE_LINE);
    cor_gate_begin_batch(&gate);
    unsigned n = 0;
    while (judge(&gate, hd_buf_slice(&line)) == COR_GATE_CANARY) {
        n++;
    }
    assert_int_equal(n, COR_GATE_CHECKS_MAX);
}

static void keys_that_cannot_be_used_are_told(void **state)
{
    (void)state;
    char path[1024];
    struct cor_canary_keys *got = NULL;
    struct hd_diags diags = {0};
    (void)snprintf(path, sizeof(path), "%s/absent", dir);
    assert_int_equal(cor_canary_keys_load(path, WINDOW_NS, &diags, &got), HD_ENOENT);
    assert_int_equal(diags.errors, 1);
    (void)snprintf(path, sizeof(path), "%s/empty", dir);
    assert_int_equal(hd_fs_mkdirs(path, 0700), HD_OK);
    assert_int_equal(cor_canary_keys_load(path, WINDOW_NS, &diags, &got), HD_EINVAL);
    assert_int_equal(diags.errors, 2);
    (void)snprintf(path, sizeof(path), "%s/empty/x.pub", dir);
    assert_int_equal(hd_fs_write_atomic(path, HD_SLICE("no key"), 0600), HD_OK);
    (void)snprintf(path, sizeof(path), "%s/empty", dir);
    assert_int_equal(cor_canary_keys_load(path, WINDOW_NS, &diags, &got), HD_EPARSE);
    assert_int_equal(diags.errors, 3);
}

/* ---- proofs ---- */

#define RULE_TEXT                                                                        \
    "title: One\nid: ecfd1fcd-d465-49ce-a04e-c5d55affd62f\nstatus: test\n"               \
    "logsource: {product: linux, service: sshd}\n"                                       \
    "detection:\n  selection: {event.outcome: %s}\n  condition: selection\nlevel: "      \
    "low\n"

static struct cor_rules *load_rules(const char *value)
{
    char path[1024], decoders[512], text[1024];
    struct rul_set *set = NULL;
    struct cor_rules *rules = NULL;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    (void)snprintf(path, sizeof(path), "%s/rules.yml", dir);
    (void)snprintf(text, sizeof(text), RULE_TEXT, value);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(text), 0600), HD_OK);
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.decoders_dir = decoders,
                                      .rules = paths,
                                      .n_rules = 1,
                                      .time_zone = "UTC",
                                      .no_self_test = true};
    assert_int_equal(rul_set_load(&opts, &set, &diags), HD_OK);
    assert_int_equal(cor_rules_new(set, NULL, &rules), HD_OK);
    rul_set_unref(set);
    return rules;
}

static int64_t proven_after_restart(const char *path, const char *value)
{
    struct cor_proofs proofs = {0};
    struct cor_rules *rules = load_rules(value);
    cor_proofs_load(&proofs, path, rules);
    int64_t ns = cor_rule_proven_ns(rules->counts[0]);
    cor_rules_unref(rules);
    return ns;
}

static void proofs_outlive_the_process_as_long_as_the_rule(void **state)
{
    (void)state;
    char path[1024];
    struct cor_proofs proofs = {0}, again = {0};
    struct cor_rules *rules = load_rules("failure");
    (void)snprintf(path, sizeof(path), "%s/canaries.json", dir);
    cor_proofs_load(&proofs, path, rules); /* there is none */
    assert_int_equal(cor_rule_proven_ns(rules->counts[0]), 0);
    cor_proofs_rule(&proofs, rules, rul_set_rule(rules->set, 0), NOW_NS);
    cor_proofs_rule(&proofs, rules, rul_set_rule(rules->set, 0), NOW_NS - 1);
    cor_proofs_class(&proofs, HD_CANARY_TCP, NOW_NS);
    cor_proofs_save(&proofs, rules);
    assert_false(proofs.is_changed);
    assert_int_equal(proven_after_restart(path, "failure"), NOW_NS);
    assert_int_equal(proven_after_restart(path, "success"), 0); /* another rule */
    cor_proofs_load(&again, path, rules);
    assert_int_equal(cor_proofs_class_ns(&again, HD_CANARY_TCP), NOW_NS);
    assert_int_equal(cor_proofs_class_ns(&again, HD_CANARY_UDP), 0);
    assert_int_equal(hd_fs_write_atomic(path, HD_SLICE("{\"v\":1,"), 0600), HD_OK);
    assert_int_equal(proven_after_restart(path, "failure"), 0); /* damaged */
    cor_rules_unref(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_trusted_key_makes_a_canary),
        cmocka_unit_test(an_old_one_is_neither_test_nor_attack),
        cmocka_unit_test(signatures_looked_at_are_bounded),
        cmocka_unit_test(keys_that_cannot_be_used_are_told),
        cmocka_unit_test(proofs_outlive_the_process_as_long_as_the_rule),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
