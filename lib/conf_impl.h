/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the configuration reader: conf.c walks the YAML, conf_value.c
 * turns one scalar into a member of the target struct, conf_manual.c prints what is
 * allowed.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/conf.h>

/* Where a value stands, and where to complain about it. */
struct hd_conf_place {
    const char *file;
    unsigned line, column;
    struct hd_diags *diags;
};

#define HD_CONF_STRING_MAX 4096 /* bytes, where the schema sets no max */
#define HD_CONF_LIST_MAX   4096 /* entries, where the schema sets no max */

static inline void *hd_conf_member(void *base, size_t offset)
{
    return (char *)base + offset;
}

/* Stores `text` in the member of `base` that a scalar item names; for HD_CONF_STRINGS
 * adds it to the list. HD_EPARSE after a report, HD_ENOMEM. */
int hd_conf_set(const struct hd_conf_item *item, struct hd_slice text, void *base,
                const struct hd_conf_place *place) HD_MUST_USE;

/* Room for one more element of `size` bytes, zeroed, in an array that has n: the array
 * may move. NULL when out of memory. */
void *hd_conf_grow(void **array, size_t n, size_t size);

/* Appends what an item allows, for people: "4KiB to 1MiB", "1 to 65535 lines". */
void hd_conf_range(struct hd_buf *out, const struct hd_conf_item *item);
