/* SPDX-License-Identifier: Apache-2.0
 *
 * Placeholders of the site: what "%name%" stands for in values with the `expand` modifier
 * (specification v2.1, "Placeholders"). Read once a load from a directory:
 *
 *     NAME.txt       the values of %NAME%, one a line; "#" starts a comment line
 *     ANY.yml        a map of names to a value or a list of values
 *
 * Values are written as in a rule: `*` and `?` are wildcards. All of it lives in the
 * arena of the load.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/diag.h>
#include <haidang/slice.h>

#define RUL_PLACEHOLDERS_MAX       4096U
#define RUL_PLACEHOLDER_VALUES_MAX 20000U /* of one placeholder */

struct rul_placeholder {
    struct hd_slice name;
    const struct hd_slice *values; /* in the order written */
    size_t n;
    const char *file;
    unsigned line;
};

struct rul_placeholders {
    struct rul_placeholder *at;
    size_t n;
};

/* Every file of the directory. Reports all that is wrong with it (HD_EPARSE, and
 * reads the rest) or HD_ENOMEM. */
int rul_placeholders_read(struct rul_placeholders *out, const char *dir,
                          struct hd_arena *arena, struct hd_diags *diags) HD_MUST_USE;

/* NULL when there is none of that name; case matters. */
const struct rul_placeholder *rul_placeholder_find(const struct rul_placeholders *all,
                                                   struct hd_slice name);
/* The name nearest to one that is not there, as the end of a message. */
const char *rul_placeholder_hint(const struct rul_placeholders *all, struct hd_slice name,
                                 struct hd_diag_hint *hint);

/* The first "%name%" of a text at or behind `from`: its name and where it starts; false
 * when there is none. Names are letters, digits, "_", "-" and bytes >= 0x80; a percent
 * sign behind a backslash is a plain one. */
bool rul_placeholder_next(struct hd_slice text, size_t from, size_t *start,
                          struct hd_slice *name);
