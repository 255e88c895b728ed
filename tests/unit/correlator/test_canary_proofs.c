/* SPDX-License-Identifier: Apache-2.0
 *
 * What is remembered of canaries. What becomes of one in the correlator as a whole:
 * tests/e2e/test_canary.py.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/fs.h>

#include "correlator/canary/proofs.h"

#define NOW_NS (INT64_C(1790000000) * HD_NS_PER_SEC)

static char dir[512];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s", hd_test_tmpdir());
    return 0;
}

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
        cmocka_unit_test(proofs_outlive_the_process_as_long_as_the_rule),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
