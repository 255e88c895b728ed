/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables over all decoders: classes, names, the dispatch of patterns by their first
 * bytes.
 */
#include <stdlib.h>

#include "rules/decode/loader.h"

#define CLASSES_MAX 1024U
#define KEY_LEN     4U

/* ---- classes ---- */

static bool is_same_source(const struct rul_logsource *a, const struct rul_logsource *b)
{
    return hd_slice_eq_nocase(a->product, b->product) &&
           hd_slice_eq_nocase(a->category, b->category) &&
           hd_slice_eq_nocase(a->service, b->service);
}

static bool has_source(const struct rul_class *class, const struct rul_logsource *source)
{
    for (uint16_t i = 0; i < class->n; i++) {
        if (is_same_source(&class->sources[i], source)) {
            return true;
        }
    }
    return false;
}

static bool is_same_class(const struct rul_class *class,
                          const struct rul_logsource *sources, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++) {
        if (!has_source(class, &sources[i])) {
            return false;
        }
    }
    return class->n == n;
}

uint16_t rul_link_class(struct rul_loader *l, const struct rul_logsource *sources,
                        uint16_t n)
{
    struct rul_decoders *set = l->set;
    for (uint16_t i = 0; i < set->n_classes; i++) {
        if (is_same_class(&set->classes[i], sources, n)) {
            return i;
        }
    }
    struct rul_class *classes =
        hd_arena_grow(l->arena, set->classes, set->n_classes, sizeof(*classes));
    if (classes == NULL || set->n_classes == CLASSES_MAX) {
        l->err = classes == NULL ? HD_ENOMEM : HD_ELIMIT;
        return 0;
    }
    struct rul_class *class = &classes[set->n_classes];
    class->id = set->n_classes;
    class->n = n;
    for (uint16_t i = 0; i < n; i++) {
        class->sources[i] = sources[i];
    }
    set->classes = classes;
    return set->n_classes++;
}

/* The union of two classes as declared, which always fits. */
static uint16_t merge_classes(struct rul_loader *l, uint16_t a, uint16_t b)
{
    struct rul_class both = l->set->classes[a];
    const struct rul_class *second = &l->set->classes[b];
    for (uint16_t i = 0; i < second->n; i++) {
        bool has_room = both.n < RUL_CLASS_SOURCES_MAX;
        if (has_room && !has_source(&both, &second->sources[i])) {
            both.sources[both.n++] = second->sources[i];
        }
    }
    return rul_link_class(l, both.sources, both.n);
}

/* Every class that the decoder may give: of itself, its patterns, its cases. */
static uint16_t class_of(const struct rul_decoder *dec, unsigned i)
{
    return i < dec->n_patterns                  ? dec->patterns[i].class_id
           : i < dec->n_patterns + dec->n_cases ? dec->cases[i - dec->n_patterns].class_id
                                                : dec->class_id;
}

/* A line of sshd that PAM wrote is of both: every pair is prepared here. */
static void link_merged(struct rul_loader *l)
{
    struct rul_decoders *set = l->set;
    uint16_t n = set->n_classes;
    set->merged = hd_arena_alloc(l->arena, (size_t)n * n, sizeof(*set->merged));
    if (set->merged == NULL) {
        return;
    }
    set->n_merged = n;
    for (uint16_t d = 0; d < set->n; d++) {
        const struct rul_decoder *dec = &set->all[d];
        for (unsigned p = 0; dec->is_inner && p <= dec->n_patterns + dec->n_cases; p++) {
            uint16_t inner = class_of(dec, p);
            for (uint16_t outer = 0; outer < n; outer++) {
                set->merged[(size_t)outer * n + inner] = merge_classes(l, outer, inner);
            }
        }
    }
}

/* ---- dispatch ---- */

static uint32_t key_of(struct hd_slice literal)
{
    uint32_t key;
    memcpy(&key, literal.ptr, KEY_LEN);
    return key;
}

struct sortable {
    uint32_t key;
    uint16_t index;
    size_t len; /* of the first literal */
};

static int compare(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    if (x->len != y->len) {
        return x->len > y->len ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

uint32_t rul_dispatch_slot(const struct rul_dispatch *dispatch, uint32_t key)
{
    uint32_t slot = (key * UINT32_C(2654435761)) >> 7 & dispatch->mask;
    while (dispatch->buckets[slot].n != 0 && dispatch->buckets[slot].key != key) {
        slot = (slot + 1) & dispatch->mask;
    }
    return slot;
}

static int fill_dispatch(struct hd_arena *arena, struct rul_dispatch *dispatch,
                         const struct sortable *keyed, uint16_t n_keyed,
                         const struct sortable *loose)
{
    uint32_t size = rul_decode_names_table_size(n_keyed);
    uint16_t *order = hd_arena_alloc(arena, n_keyed, sizeof(*order));
    uint16_t *unkeyed = hd_arena_alloc(arena, dispatch->n_loose, sizeof(*unkeyed));
    dispatch->buckets = hd_arena_alloc(arena, size, sizeof(*dispatch->buckets));
    if (dispatch->buckets == NULL || order == NULL || unkeyed == NULL) {
        return HD_ENOMEM;
    }
    dispatch->mask = size - 1;
    for (uint16_t i = 0; i < n_keyed; i++) {
        struct rul_bucket *bucket =
            &dispatch->buckets[rul_dispatch_slot(dispatch, keyed[i].key)];
        if (bucket->n == 0) {
            bucket->key = keyed[i].key;
            bucket->first = i;
        }
        bucket->n++;
        order[i] = keyed[i].index;
    }
    for (uint16_t i = 0; i < dispatch->n_loose; i++) {
        unkeyed[i] = loose[i].index;
    }
    dispatch->order = order;
    dispatch->loose = unkeyed;
    return 0;
}

static int link_dispatch(struct hd_arena *arena, struct rul_decoder *dec)
{
    size_t room = dec->n_patterns + 1U;
    struct sortable *keyed = calloc(room, sizeof(*keyed));
    struct sortable *loose = calloc(room, sizeof(*loose));
    uint16_t n_keyed = 0, n_loose = 0;
    int rc = keyed == NULL || loose == NULL ? HD_ENOMEM : 0;
    for (uint16_t i = 0; rc == 0 && i < dec->n_patterns; i++) {
        struct hd_slice first = dec->patterns[i].text.pattern.first;
        struct sortable entry = {.index = i, .len = first.len};
        if (first.len < KEY_LEN) {
            loose[n_loose++] = entry;
        } else {
            entry.key = key_of(first);
            keyed[n_keyed++] = entry;
        }
    }
    if (rc == 0) {
        qsort(keyed, n_keyed, sizeof(*keyed), compare);
        qsort(loose, n_loose, sizeof(*loose), compare);
        dec->dispatch.n_loose = n_loose;
        rc = fill_dispatch(arena, &dec->dispatch, keyed, n_keyed, loose);
    }
    free(keyed);
    free(loose);
    return rc;
}

/* ---- lists over all decoders ---- */

static void append(struct rul_loader *l, uint16_t **list, uint16_t *n, uint16_t value)
{
    uint16_t *grown = hd_arena_grow(l->arena, *list, *n, sizeof(**list));
    if (grown != NULL) {
        *list = grown;
        (*list)[(*n)++] = value;
    }
}

static bool has_shape(const struct rul_decoder *dec)
{
    return dec->n_json_shapes > 0 && dec->json_shapes[0].n > 0;
}

/* The more a decoder asks of a line, the earlier it is asked. */
static void link_lists(struct rul_loader *l)
{
    struct rul_decoders *set = l->set;
    for (int pass = 0; pass < 2; pass++) {
        for (uint16_t i = 0; i < set->n; i++) {
            const struct rul_decoder *dec = &set->all[i];
            bool is_first_pass = pass == 0;
            if (!dec->is_json && dec->shape.len > 0 &&
                (dec->n_sources > 0) == is_first_pass) {
                append(l, &set->shapes, &set->n_shapes, i);
            }
            if (dec->is_json && has_shape(dec) == is_first_pass) {
                append(l, &set->json, &set->n_json, i);
            }
            if (is_first_pass && dec->n_begins > 0) {
                append(l, &set->begins, &set->n_begins, i);
            }
            if (is_first_pass && dec->n_prefixes > 0) {
                append(l, &set->prefixes, &set->n_prefixes, i);
            }
        }
    }
}

void rul_link(struct rul_loader *l)
{
    struct rul_decoders *set = l->set;
    link_lists(l);
    link_merged(l);
    int rc = rul_decode_names_finish(l->arena, &set->programs);
    rc = rc == 0 ? rul_decode_names_finish(l->arena, &set->subtags) : rc;
    rc = rc == 0 ? rul_decode_names_finish(l->arena, &set->formats) : rc;
    for (uint16_t i = 0; rc == 0 && i < set->n; i++) {
        rc = link_dispatch(l->arena, &set->all[i]);
        rc = rc == 0 ? rul_when_link(l->arena, &set->all[i]) : rc;
    }
    l->err = rc != 0 ? rc : l->err;
    l->err = l->arena->failed ? HD_ENOMEM : l->err;
}
