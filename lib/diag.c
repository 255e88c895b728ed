/* SPDX-License-Identifier: Apache-2.0
 *
 * Diagnostics about written input. Control bytes in a text (it quotes what somebody
 * wrote) become '?' here, so that no sink has to think of terminals. Thread: the
 * caller's.
 */
#include <haidang/diag.h>

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

enum { TEXT_MAX = 1024, WORD_MAX = 64, DISTANCE_MAX = 2 };

static void make_printable(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((uint8_t)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

/* lint: size (7 parameters): a place in a file, always behind hd_diag_error or _warn */
void hd_diag_add(struct hd_diags *sink, enum hd_diag_level level, const char *file,
                 unsigned line, unsigned column, const char *fmt, ...)
{
    if (level == HD_DIAG_ERROR) {
        sink->errors++;
    } else if (level == HD_DIAG_WARNING) {
        sink->warnings++;
    }
    if (sink->emit == NULL) {
        return;
    }
    char text[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    make_printable(text);
    const struct hd_diag diag = {level, file, line, column, text};
    sink->emit(sink->ctx, &diag);
}

static void format(char *out, size_t cap, const struct hd_diag *diag)
{
    static const char *const levels[] = {"error", "warning", "note"};
    const char *level = levels[diag->level];
    if (diag->file == NULL) {
        (void)snprintf(out, cap, "%s: %s", level, diag->text);
    } else if (diag->line == 0) {
        (void)snprintf(out, cap, "%s: %s: %s", diag->file, level, diag->text);
    } else if (diag->column == 0) {
        (void)snprintf(out, cap, "%s:%u: %s: %s", diag->file, diag->line, level,
                       diag->text);
    } else {
        (void)snprintf(out, cap, "%s:%u:%u: %s: %s", diag->file, diag->line, diag->column,
                       level, diag->text);
    }
}

void hd_diag_print(void *ctx, const struct hd_diag *diag)
{
    char line[TEXT_MAX + 4096];
    format(line, sizeof(line), diag);
    (void)fprintf(ctx, "%s\n", line);
}

void hd_diag_keep_first(void *ctx, const struct hd_diag *diag)
{
    struct hd_diag_first *first = ctx;
    if (diag->level == HD_DIAG_ERROR && first->text[0] == '\0') {
        format(first->text, sizeof(first->text), diag);
    }
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Optimal string alignment distance: Levenshtein plus swapped neighbours. Words are at
 * most WORD_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len];
}

const char *hd_diag_nearest(const char *word, const char *const *words, size_t n)
{
    size_t len = strlen(word);
    size_t best = DISTANCE_MAX + 1;
    const char *found = NULL;
    if (len > WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t known = strlen(words[i]);
        size_t gap = known > len ? known - len : len - known;
        if (known > WORD_MAX || gap > DISTANCE_MAX) {
            continue;
        }
        size_t far = distance(word, len, words[i], known);
        /* changing half of a short word is no slip of the fingers */
        if (far < best && far * 2 <= known) {
            best = far;
            found = words[i];
        }
    }
    return found;
}

const char *hd_diag_hint(struct hd_slice word, const char *const *words, size_t n,
                         struct hd_diag_hint *out)
{
    char text[WORD_MAX + 1] = "";
    out->text[0] = '\0';
    if (word.len == 0 || word.len > WORD_MAX) {
        return out->text;
    }
    memcpy(text, word.ptr, word.len);
    const char *near = hd_diag_nearest(text, words, n);
    if (near != NULL) {
        (void)snprintf(out->text, sizeof(out->text), "; did you mean \"%s\"?", near);
    }
    return out->text;
}
