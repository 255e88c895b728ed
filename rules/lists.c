/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements are chained, because those of two fields may come by turns.
 */
#include "rules/lists.h"

#include <stddef.h>

struct rul_list *rul_lists_find(struct rul_lists *lists, uint16_t field)
{
    for (uint16_t i = 0; i < lists->n; i++) {
        if (lists->lists[i].field == field) {
            return &lists->lists[i];
        }
    }
    return NULL;
}

static uint16_t add_item(struct rul_lists *lists, struct hd_slice value)
{
    lists->items[lists->n_items] = (struct rul_item){value, RUL_ITEM_NONE};
    return lists->n_items++;
}

bool rul_lists_start(struct rul_lists *lists, uint16_t field, struct hd_slice first,
                     struct hd_slice second)
{
    if (lists->n == RUL_LISTS_MAX || lists->n_items + 2U > RUL_ITEMS_MAX) {
        return false;
    }
    struct rul_list *list = &lists->lists[lists->n++];
    list->field = field;
    list->first = list->last = add_item(lists, first);
    return rul_lists_append(lists, list, second);
}

bool rul_lists_append(struct rul_lists *lists, struct rul_list *list,
                      struct hd_slice value)
{
    if (lists->n_items == RUL_ITEMS_MAX) {
        return false;
    }
    uint16_t item = add_item(lists, value);
    lists->items[list->last].next = item;
    list->last = item;
    return true;
}

void rul_lists_share(struct rul_lists *lists, uint16_t from, uint16_t to)
{
    const struct rul_list *list = rul_lists_find(lists, from);
    if (list != NULL && lists->n < RUL_LISTS_MAX) {
        lists->lists[lists->n++] = (struct rul_list){to, list->first, list->last};
    }
}

void rul_lists_drop(struct rul_lists *lists, uint16_t field)
{
    struct rul_list *list = rul_lists_find(lists, field);
    if (list != NULL) {
        *list = lists->lists[--lists->n];
    }
}
