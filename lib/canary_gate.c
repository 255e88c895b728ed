/* SPDX-License-Identifier: Apache-2.0 */

#include <haidang/canary_gate.h>

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/fs.h>

struct hd_canary_keys {
    atomic_uint refs;
    int64_t window_ns;
    size_t n;
    struct hd_sign_key *keys[HD_CANARY_KEYS_MAX];
};

/* ---- keys ---- */

struct loading {
    const char *dir;
    struct hd_diags *diags;
    struct hd_canary_keys *keys;
};

static int load_key(void *ctx, const char *name)
{
    struct loading *l = ctx;
    char path[PATH_MAX];
    if (!hd_slice_ends(hd_slice_str(name), HD_SLICE(".pub"))) {
        return HD_OK;
    }
    int len = snprintf(path, sizeof(path), "%s/%s", l->dir, name);
    int err = len < 0 || (size_t)len >= sizeof(path) ? HD_EINVAL
              : l->keys->n == HD_CANARY_KEYS_MAX     ? HD_ELIMIT
                                                     : HD_OK;
    err = err != HD_OK ? err : hd_sign_public_load(path, &l->keys->keys[l->keys->n]);
    if (err != HD_OK) {
        hd_diag_error(l->diags, path, 0, 0, "canary.keys: this key cannot be used: %s",
                      hd_err_text(err));
        return err;
    }
    l->keys->n++;
    return HD_OK;
}

int hd_canary_keys_load(const char *dir, int64_t window_ns, struct hd_diags *diags,
                        struct hd_canary_keys **out)
{
    struct hd_canary_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL) {
        return HD_ENOMEM;
    }
    atomic_init(&keys->refs, 1);
    keys->window_ns = window_ns;
    unsigned before = diags->errors;
    int err = hd_fs_each(dir, load_key,
                         &(struct loading){.dir = dir, .diags = diags, .keys = keys});
    if (err == HD_OK && keys->n == 0) {
        err = HD_EINVAL;
        hd_diag_error(diags, dir, 0, 0, "canary.keys: no *.pub in this directory");
    } else if (err != HD_OK && diags->errors == before) {
        hd_diag_error(diags, dir, 0, 0, "canary.keys cannot be read: %s",
                      hd_err_text(err));
    }
    if (err != HD_OK) {
        hd_canary_keys_unref(keys);
        return err;
    }
    *out = keys;
    return HD_OK;
}

struct hd_canary_keys *hd_canary_keys_ref(struct hd_canary_keys *keys)
{
    if (keys != NULL) {
        (void)atomic_fetch_add_explicit(&keys->refs, 1, memory_order_relaxed);
    }
    return keys;
}

void hd_canary_keys_unref(struct hd_canary_keys *keys)
{
    if (keys == NULL ||
        atomic_fetch_sub_explicit(&keys->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < keys->n; i++) {
        hd_sign_key_free(keys->keys[i]);
    }
    free(keys);
}

/* ---- lines ---- */

/* By a key that we know. Memory being short is no reason to believe it. */
static bool is_signed(struct hd_canary_gate *gate, const struct hd_canary *canary)
{
    for (size_t i = 0; i < gate->keys->n; i++) {
        int err = hd_canary_verify(canary, gate->keys->keys[i]);
        if (err != HD_ENOENT) {
            return err == HD_OK;
        }
    }
    return false;
}

static bool may_look(struct hd_canary_gate *gate)
{
    return gate->forged < HD_GATE_FORGED_MAX && gate->checks++ < HD_GATE_CHECKS_MAX;
}

static bool is_fresh(const struct hd_canary_keys *keys, int64_t time_ns, int64_t taken_ns)
{
    return time_ns >= taken_ns - keys->window_ns && time_ns <= taken_ns + keys->window_ns;
}

enum hd_canary_verdict hd_canary_judge(struct hd_canary_gate *gate, struct hd_slice line,
                                       int64_t taken_ns, struct hd_canary *out)
{
    enum hd_canary_kind kind =
        gate->keys == NULL ? HD_CANARY_NONE : hd_canary_parse(line, out);
    if (kind == HD_CANARY_NONE) {
        return HD_GATE_LINE;
    }
    if (kind == HD_CANARY_BAD || !may_look(gate) || !is_signed(gate, out)) {
        gate->forged += kind == HD_CANARY_OK;
        return HD_GATE_FORGED;
    }
    return is_fresh(gate->keys, out->time_ns, taken_ns) ? HD_GATE_CANARY : HD_GATE_STALE;
}
