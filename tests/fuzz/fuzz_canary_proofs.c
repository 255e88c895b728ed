/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: cor_proofs_decode, cor_proofs_encode. Whatever canaries.json holds is
 * read or passed over, and what was read is the same after it was written and read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>

#include "correlator/canary/proofs.h"

#define RULES 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "title: a\nid: ecfd1fcd-d465-49ce-a04e-c5d55affd62f\nlogsource: {product: p}\n"
    "detection: {s: {F: x}, condition: s}\n---\n"
    "title: b\nid: ecfd1fcd-d465-49ce-a04e-c5d55affd630\nlogsource: {product: p}\n"
    "detection: {s: {F: y}, condition: s}\n";

static struct rul_set *load_set(void)
{
    char path[] = "/tmp/haidang-fuzz-XXXXXX";
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.rules = paths, .n_rules = 1, .no_self_test = true};
    struct hd_diags diags = {hd_diag_print, stderr, 0, 0};
    struct rul_set *set = NULL;
    int fd = mkstemp(path);
    if (fd < 0 || hd_fs_write_atomic(path, hd_slice_str(text), 0600) != 0 ||
        rul_set_load(&opts, &set, &diags) != 0 || rul_set_count(set) != RULES) {
        abort();
    }
    (void)close(fd);
    (void)remove(path);
    return set;
}

static struct cor_rules *new_rules(struct rul_set *set)
{
    struct cor_rules *rules = NULL;
    if (cor_rules_new(set, NULL, &rules) != HD_OK) {
        abort();
    }
    return rules;
}

static void expect_same(const struct cor_proofs *a, const struct cor_rules *a_rules,
                        const struct cor_proofs *b, const struct cor_rules *b_rules)
{
    for (size_t i = 0; i < RULES; i++) {
        if (cor_rule_proven_ns(a_rules->counts[i]) / HD_NS_PER_MS !=
            cor_rule_proven_ns(b_rules->counts[i]) / HD_NS_PER_MS) {
            abort();
        }
    }
    for (unsigned i = 0; i < HD_CANARY_CLASSES; i++) {
        if (cor_proofs_class_ns(a, (enum hd_canary_class)i) / HD_NS_PER_MS !=
            cor_proofs_class_ns(b, (enum hd_canary_class)i) / HD_NS_PER_MS) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rul_set *set;
    set = set == NULL ? load_set() : set;
    struct cor_rules *rules = new_rules(set), *again = new_rules(set);
    struct cor_proofs proofs = {0}, copy = {0};
    struct hd_buf out;
    hd_buf_init(&out, 0);
    if (cor_proofs_decode(&proofs, hd_slice(data, size), rules) == HD_OK) {
        cor_proofs_encode(&proofs, rules, &out);
        if (out.err != HD_OK ||
            cor_proofs_decode(&copy, hd_buf_slice(&out), again) != HD_OK) {
            abort();
        }
        expect_same(&proofs, rules, &copy, again);
    }
    hd_buf_fini(&out);
    cor_rules_unref(rules);
    cor_rules_unref(again);
    return 0;
}
