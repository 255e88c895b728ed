/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields that have several values in one event: elements of JSON arrays. Such a field's
 * value in the event is the text of all, for people; comparisons look at each element,
 * and one that matches is enough (Sigma: any element of a list). Part of an event.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/slice.h>

#define RUL_LISTS_MAX 64U  /* fields with several values in one event */
#define RUL_ITEMS_MAX 512U /* elements in one event */
#define RUL_ITEM_NONE UINT16_MAX

struct rul_lists {
    uint16_t n, n_items;
    struct rul_list {
        uint16_t field, first, last;
    } lists[RUL_LISTS_MAX];
    struct rul_item {
        struct hd_slice value;
        uint16_t next;
    } items[RUL_ITEMS_MAX];
};

/* The field's list or NULL. */
struct rul_list *rul_lists_find(struct rul_lists *lists, uint16_t field);
/* False, with nothing changed, when there is no room. */
bool rul_lists_start(struct rul_lists *lists, uint16_t field, struct hd_slice first,
                     struct hd_slice second);
bool rul_lists_append(struct rul_lists *lists, struct rul_list *list,
                      struct hd_slice value);
/* Field `to` has the elements of `from` too. */
void rul_lists_share(struct rul_lists *lists, uint16_t from, uint16_t to);
void rul_lists_drop(struct rul_lists *lists, uint16_t field);
