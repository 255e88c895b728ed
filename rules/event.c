/* SPDX-License-Identifier: Apache-2.0
 *
 * Field names, log source comparison, and the copy of an event that travels with a hit.
 * The name table is written while a set is loaded and read by every thread afterwards.
 */
#include "rules/event.h"

#include <stdlib.h>

#include <haidang/hash.h>

#include "rules/paths.h"

#define SLOTS (RUL_FIELDS_MAX * 2U) /* a power of two; never more than half full */

struct rul_fields {
    uint16_t n;
    uint16_t slots[SLOTS]; /* id + 1; 0 = free */
    struct hd_slice names[RUL_FIELDS_MAX];
    struct rul_paths paths;
};

#define FIELD_NAME(id, name) name,
static const char *const well_known[] = {RUL_FIELD_MAP(FIELD_NAME)};
#undef FIELD_NAME

/* The slot that holds `name`, or the free one where it belongs. */
static size_t slot_of(const struct rul_fields *fields, struct hd_slice name)
{
    size_t slot = (size_t)hd_hash(name) & (SLOTS - 1U);
    while (fields->slots[slot] != 0 &&
           !hd_slice_eq(fields->names[fields->slots[slot] - 1U], name)) {
        slot = (slot + 1U) & (SLOTS - 1U);
    }
    return slot;
}

int rul_fields_new(struct rul_fields **out)
{
    struct rul_fields *fields = calloc(1, sizeof(*fields));
    if (fields == NULL) {
        return HD_ENOMEM;
    }
    int rc = rul_paths_init(&fields->paths);
    if (rc != 0) {
        free(fields);
        return rc;
    }
    for (uint16_t i = 0; i < RUL_F_WELL_KNOWN; i++) {
        uint16_t id;
        rc = rul_fields_add(fields, hd_slice_str(well_known[i]), &id);
        if (rc == 0 && hd_fails(id == i)) {
            rc = HD_EBUG;
        }
        if (rc != 0) {
            rul_fields_free(fields);
            return rc;
        }
    }
    *out = fields;
    return 0;
}

void rul_fields_free(struct rul_fields *fields)
{
    if (fields == NULL) {
        return;
    }
    for (uint16_t i = 0; i < fields->n; i++) {
        free((void *)(uintptr_t)fields->names[i].ptr);
    }
    rul_paths_fini(&fields->paths);
    free(fields);
}

int rul_fields_add(struct rul_fields *fields, struct hd_slice name, uint16_t *id)
{
    size_t slot = slot_of(fields, name);
    if (fields->slots[slot] != 0) {
        *id = (uint16_t)(fields->slots[slot] - 1U);
        return 0;
    }
    if (fields->n == RUL_FIELDS_MAX) {
        return HD_ELIMIT;
    }
    char *own = hd_slice_dup(name);
    int rc = own == NULL ? HD_ENOMEM : rul_paths_add(&fields->paths, name, fields->n);
    if (rc != 0) {
        free(own);
        return rc;
    }
    *id = fields->n++;
    fields->names[*id] = hd_slice(own, name.len);
    fields->slots[slot] = fields->n;
    return 0;
}

uint16_t rul_fields_find(const struct rul_fields *fields, struct hd_slice name)
{
    uint16_t held = fields->slots[slot_of(fields, name)];
    return held == 0 ? RUL_FIELD_NONE : (uint16_t)(held - 1U);
}

struct hd_slice rul_fields_name(const struct rul_fields *fields, uint16_t id)
{
    return id < fields->n ? fields->names[id] : HD_SLICE_EMPTY;
}

struct rul_paths *rul_fields_paths(struct rul_fields *fields)
{
    return &fields->paths;
}

uint16_t rul_fields_count(const struct rul_fields *fields)
{
    return fields->n;
}

static bool part_covers(struct hd_slice rule, struct hd_slice event)
{
    return rule.len == 0 || hd_slice_eq_nocase(rule, event);
}

bool rul_logsource_covers(const struct rul_logsource *rule,
                          const struct rul_logsource *event)
{
    return part_covers(rule->product, event->product) &&
           part_covers(rule->category, event->category) &&
           part_covers(rule->service, event->service);
}

void rul_event_clear(struct rul_event *ev)
{
    for (uint16_t i = 0; i < ev->n; i++) {
        ev->present[ev->ids[i] >> 6] = 0;
    }
    ev->time_ns = 0;
    ev->recv_ns = 0;
    ev->has_own_time = false;
    ev->class_id = 0;
    ev->decoder = NULL;
    ev->pattern = NULL;
    ev->raw = HD_SLICE_EMPTY;
    ev->tree = HD_SLICE_EMPTY;
    ev->made = HD_SLICE_EMPTY;
    ev->leaves = 0;
    ev->n = 0;
    ev->lost = 0;
    ev->lists.n = 0;
    ev->lists.n_items = 0;
}

static bool is_within(struct hd_slice whole, struct hd_slice part)
{
    uintptr_t from = (uintptr_t)whole.ptr, at = (uintptr_t)part.ptr;
    return at >= from && at - from <= whole.len && part.len <= whole.len - (at - from);
}

/* Writes the bytes at *at and moves it on. */
static struct hd_slice put(uint8_t **at, struct hd_slice s)
{
    struct hd_slice placed = hd_slice(*at, s.len);
    if (s.len > 0) {
        memcpy(*at, s.ptr, s.len);
        *at += s.len;
    }
    return placed;
}

static const char *put_text(uint8_t **at, const char *text)
{
    return text == NULL ? NULL
                        : (const char *)put(at, hd_slice(text, strlen(text) + 1)).ptr;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

int rul_event_copy(const struct rul_event *ev, struct rul_event_copy **out)
{
    size_t head = sizeof(**out) + ev->n * sizeof((*out)->values[0]);
    size_t size = head + ev->raw.len + text_size(ev->decoder) + text_size(ev->pattern);
    for (uint16_t i = 0; i < ev->n; i++) {
        struct hd_slice value = ev->values[ev->ids[i]];
        size += is_within(ev->raw, value) ? 0 : value.len;
    }
    struct rul_event_copy *copy = malloc(size);
    if (copy == NULL) {
        return HD_ENOMEM;
    }
    uint8_t *at = (uint8_t *)copy + head;
    copy->time_ns = ev->time_ns;
    copy->recv_ns = ev->recv_ns;
    copy->class_id = ev->class_id;
    copy->n = ev->n;
    copy->raw = put(&at, ev->raw);
    copy->decoder = put_text(&at, ev->decoder);
    copy->pattern = put_text(&at, ev->pattern);
    for (uint16_t i = 0; i < ev->n; i++) {
        struct hd_slice value = ev->values[ev->ids[i]];
        copy->values[i].id = ev->ids[i];
        copy->values[i].value =
            is_within(ev->raw, value)
                ? hd_slice(copy->raw.ptr + (value.ptr - ev->raw.ptr), value.len)
                : put(&at, value);
    }
    *out = copy;
    return 0;
}

/* The value in the copy: as before inside of raw, or behind everything else. */
static struct hd_slice put_value(uint8_t **at, const struct rul_event_copy *ev,
                                 const struct rul_event_copy *copy, struct hd_slice value)
{
    return is_within(ev->raw, value)
               ? hd_slice(copy->raw.ptr + (value.ptr - ev->raw.ptr), value.len)
               : put(at, value);
}

int rul_event_copy_dup(const struct rul_event_copy *ev, struct rul_event_copy **out)
{
    size_t head = sizeof(*ev) + ev->n * sizeof(ev->values[0]);
    size_t size = head + ev->raw.len + text_size(ev->decoder) + text_size(ev->pattern);
    for (uint16_t i = 0; i < ev->n; i++) {
        size += is_within(ev->raw, ev->values[i].value) ? 0 : ev->values[i].value.len;
    }
    struct rul_event_copy *copy = malloc(size);
    if (copy == NULL) {
        return HD_ENOMEM;
    }
    memcpy(copy, ev, head);
    uint8_t *at = (uint8_t *)copy + head;
    copy->raw = put(&at, ev->raw);
    copy->decoder = put_text(&at, ev->decoder);
    copy->pattern = put_text(&at, ev->pattern);
    for (uint16_t i = 0; i < ev->n; i++) {
        copy->values[i].value = put_value(&at, ev, copy, ev->values[i].value);
    }
    *out = copy;
    return 0;
}

struct hd_slice rul_event_copy_get(const struct rul_event_copy *copy, uint16_t id)
{
    for (uint16_t i = 0; i < copy->n; i++) {
        if (copy->values[i].id == id) {
            return copy->values[i].value;
        }
    }
    return HD_SLICE_EMPTY;
}
