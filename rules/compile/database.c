/* SPDX-License-Identifier: Apache-2.0
 *
 * Hyperscan databases of one slot. Literals use the literal API without SINGLEMATCH
 * (Vectorscan 5.4.9 loses one-byte literals with it); expressions are compiled in byte
 * mode, and what Hyperscan refuses is approximated by it and confirmed by PCRE2.
 */
#include <stdlib.h>

#include "rules/compile/build.h"

struct lists { /* the parallel arrays of hs_compile_*_multi */
    const char **texts;
    unsigned *flags, *ids;
    size_t *lens;
};

static void lists_fini(struct lists *l)
{
    free(l->texts);
    free(l->flags);
    free(l->ids);
    free(l->lens);
}

static int lists_init(struct lists *l, uint32_t n)
{
    *l = (struct lists){calloc(n, sizeof(*l->texts)), calloc(n, sizeof(*l->flags)),
                        calloc(n, sizeof(*l->ids)), calloc(n, sizeof(*l->lens))};
    if (l->texts != NULL && l->flags != NULL && l->ids != NULL && l->lens != NULL) {
        return 0;
    }
    lists_fini(l);
    return HD_ENOMEM;
}

/* Hyperscan reports lack of memory as a compile error of its own. */
static bool is_no_memory(hs_error_t rc, const hs_compile_error_t *error)
{
    return rc == HS_NOMEM || (error != NULL && error->message != NULL &&
                              strstr(error->message, "allocate memory") != NULL);
}

int rul_slot_compile_literals(struct rul_slot *slot, const struct hd_slice *literals,
                              uint32_t n)
{
    struct lists l;
    int err = lists_init(&l, n);
    if (err != 0) {
        return err;
    }
    for (uint32_t i = 0; i < n; i++) {
        l.texts[i] = (const char *)literals[i].ptr;
        l.lens[i] = literals[i].len;
        l.flags[i] = HS_FLAG_CASELESS;
        l.ids[i] = i;
    }
    hs_compile_error_t *error = NULL;
    hs_error_t rc = hs_compile_lit_multi(l.texts, l.flags, l.ids, l.lens, n,
                                         HS_MODE_BLOCK, NULL, &slot->literals, &error);
    if (rc != HS_SUCCESS) {
        err = is_no_memory(rc, error) ? HD_ENOMEM : HD_EBUG;
        (void)hs_free_compile_error(error);
    }
    lists_fini(&l);
    return err;
}

/* One step towards what can be compiled. */
static int degrade(struct rul_expression *e)
{
    if (e->pcre == NULL) {
        int err = rul_regex_new(e->pattern, e->flags, &e->pcre);
        if (err != 0) {
            return err;
        }
    }
    e->mode = e->mode == RUL_RE_EXACT ? RUL_RE_PREFILTER : RUL_RE_SLOW;
    return 0;
}

static unsigned hs_flags(const struct rul_expression *e)
{
    unsigned flags = HS_FLAG_ALLOWEMPTY;
    flags |= e->flags & RUL_RE_CASELESS ? (unsigned)HS_FLAG_CASELESS : 0;
    flags |= e->flags & RUL_RE_MULTILINE ? (unsigned)HS_FLAG_MULTILINE : 0;
    flags |= e->flags & RUL_RE_DOTALL ? (unsigned)HS_FLAG_DOTALL : 0;
    flags |= e->mode == RUL_RE_PREFILTER ? (unsigned)HS_FLAG_PREFILTER : 0;
    return flags;
}

/* Tries once; HD_EAGAIN when some expression was degraded. */
static int try_expressions(struct rul_program *p, struct rul_slot *slot, struct lists *l)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < slot->n_re; i++) {
        const struct rul_expression *e = &p->expressions[p->preds[slot->re_preds[i]].aux];
        if (e->mode != RUL_RE_SLOW) {
            l->texts[n] = e->cstr;
            l->flags[n] = hs_flags(e);
            l->ids[n++] = i;
        }
    }
    if (n == 0) {
        return 0;
    }
    hs_compile_error_t *error = NULL;
    hs_error_t rc = hs_compile_multi(l->texts, l->flags, l->ids, n, HS_MODE_BLOCK, NULL,
                                     &slot->expressions, &error);
    if (rc == HS_SUCCESS) {
        return 0;
    }
    int bad = error != NULL ? error->expression : -1;
    int err = is_no_memory(rc, error) ? HD_ENOMEM : 0;
    (void)hs_free_compile_error(error);
    for (unsigned i = 0; i < n && err == 0; i++) {
        if (bad < 0 || (unsigned)bad == i) {
            err = degrade(&p->expressions[p->preds[slot->re_preds[l->ids[i]]].aux]);
        }
    }
    return err != 0 ? err : HD_EAGAIN;
}

int rul_slot_compile_expressions(struct rul_program *p, struct rul_slot *slot)
{
    struct lists l;
    int err = lists_init(&l, slot->n_re);
    if (err != 0) {
        return err;
    }
    do {
        err = try_expressions(p, slot, &l);
    } while (err == HD_EAGAIN);
    lists_fini(&l);
    return err;
}
