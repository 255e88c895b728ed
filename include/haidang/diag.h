/* SPDX-License-Identifier: Apache-2.0
 *
 * Diagnostics about input that people write: configuration, rules, decoders, profiles,
 * inventories. Every reader reports *all* problems it finds, each with file, line and
 * column, to one sink; the caller decides what to do with the count.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <haidang/err.h>
#include <haidang/slice.h>

enum hd_diag_level { HD_DIAG_ERROR, HD_DIAG_WARNING, HD_DIAG_NOTE };

struct hd_diag {
    enum hd_diag_level level;
    const char *file; /* NULL when there is none, e.g. the command line */
    unsigned line;    /* from 1; 0 = the file as a whole */
    unsigned column;  /* from 1, in bytes; 0 = the whole line */
    const char *text; /* what is wrong and what to do; valid during the call */
};

/* A sink counts and passes on. Zero-initialised it only counts. */
struct hd_diags {
    void (*emit)(void *ctx, const struct hd_diag *diag);
    void *ctx;
    unsigned errors;
    unsigned warnings;
};

void hd_diag_add(struct hd_diags *sink, enum hd_diag_level level, const char *file,
                 unsigned line, unsigned column, const char *fmt, ...) HD_PRINTF(6, 7);

#define hd_diag_error(sink, file, line, col, ...)                                        \
    hd_diag_add((sink), HD_DIAG_ERROR, (file), (line), (col), __VA_ARGS__)
#define hd_diag_warn(sink, file, line, col, ...)                                         \
    hd_diag_add((sink), HD_DIAG_WARNING, (file), (line), (col), __VA_ARGS__)

/* emit callback: prints "file:line:col: error: text" to the FILE* in ctx. */
void hd_diag_print(void *ctx, const struct hd_diag *diag);

/* emit callback: keeps the first error's text in a struct hd_diag_first in ctx. */
struct hd_diag_first {
    char text[512]; /* "file:line:col: error: text", empty when none */
};
void hd_diag_keep_first(void *ctx, const struct hd_diag *diag);

/* The known word nearest to `word` (edit distance <= 2), for "did you mean"; or NULL. */
const char *hd_diag_nearest(const char *word, const char *const *words, size_t n);

/* The same as the end of a message: "; did you mean "x"?", or "" when there is none. */
struct hd_diag_hint {
    char text[96];
};
const char *hd_diag_hint(struct hd_slice word, const char *const *words, size_t n,
                         struct hd_diag_hint *out);
