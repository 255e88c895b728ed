/* SPDX-License-Identifier: Apache-2.0 */
#include "console/names.h"

#include <haidang/array.h>
#include <haidang/buf.h>
#include <haidang/diag.h>
#include <haidang/hash.h>
#include <haidang/utf8.h>

#include <stdlib.h>
#include <string.h>

struct wanted {
    const struct con_names *names;
    const char *text;
};

static bool is_same(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    return strcmp(w->names->list[at].text, w->text) == 0;
}

static int append(struct con_names *names, const char *text, uint64_t hash)
{
    struct con_name *more = hd_array_grow(names->list, names->n, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    names->list = more;
    char *kept = strdup(text);
    int err =
        kept == NULL ? HD_ENOMEM : hd_index_add(&names->index, hash, (uint32_t)names->n);
    if (err != HD_OK) {
        free(kept);
        return err;
    }
    names->list[names->n++] = (struct con_name){.text = kept};
    return HD_OK;
}

static int count(struct con_names *names, const char *text, uint64_t n, uint64_t bytes)
{
    const struct wanted wanted = {names, text};
    uint64_t hash = hd_hash(hd_slice_str(text));
    uint32_t at = hd_index_find(&names->index, hash, is_same, &wanted);
    if (at == HD_INDEX_NONE && names->n == CON_NAMES_MAX) {
        names->others += n;
        names->others_bytes += bytes;
        return HD_OK;
    }
    if (at == HD_INDEX_NONE) {
        at = (uint32_t)names->n;
        int err = append(names, text, hash);
        if (err != HD_OK) {
            return err;
        }
    }
    names->list[at].count += n;
    names->list[at].bytes += bytes;
    return HD_OK;
}

int con_names_add_bytes(struct con_names *names, struct hd_slice text, uint64_t n,
                        uint64_t bytes)
{
    struct hd_buf plain;
    if (!names->has_index) {
        int err = hd_index_init(&names->index, 64);
        if (err != HD_OK) {
            return err;
        }
        names->has_index = true;
    }
    hd_buf_init(&plain, 0);
    hd_utf8_escape(&plain, text);
    const char *name = hd_buf_cstr(&plain);
    int err = plain.err == HD_OK ? count(names, name, n, bytes) : plain.err;
    hd_buf_fini(&plain);
    return err;
}

int con_names_add(struct con_names *names, struct hd_slice text, uint64_t n)
{
    return con_names_add_bytes(names, text, n, 0);
}

static int by_count(const void *a, const void *b)
{
    const struct con_name *x = a;
    const struct con_name *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return strcmp(x->text, y->text);
}

void con_names_sort(struct con_names *names)
{
    if (names->n > 0) {
        qsort(names->list, names->n, sizeof(*names->list), by_count);
    }
}

void con_names_fini(struct con_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->list[i].text);
    }
    free(names->list);
    if (names->has_index) {
        hd_index_fini(&names->index);
    }
    *names = (struct con_names){0};
}

char *con_names_hint(const struct con_names *names, struct hd_slice word)
{
    struct hd_diag_hint hint;
    const char **words = calloc(names->n + 1, sizeof(*words));
    if (words == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < names->n; i++) {
        words[i] = names->list[i].text;
    }
    char *text = strdup(hd_diag_hint(word, words, names->n, &hint));
    free(words);
    return text;
}
