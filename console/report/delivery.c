/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of the alerts of the period at each destination, from the forwarder's
 * receipts up to now. The forwarder ends with alerts in their order: of one without a
 * final receipt, before another that has one, it was not to go there.
 */
#include <haidang/alert.h>
#include <haidang/array.h>

#include <stdlib.h>
#include <string.h>

#include "console/journal_lines.h"
#include "console/report/report.h"

#define DESTINATIONS_MAX 256U /* in receipts; others are passed over and counted */

enum outcome { NONE, DELIVERED, DEAD, WITHHELD, OUTCOMES };

static const char *const names[OUTCOMES] = {"not_for_it", "delivered", "dead",
                                            "withheld"};

struct destination {
    char *name;
    uint8_t *outcomes; /* of the published alerts */
    uint64_t done;     /* index of the newest alert with a final receipt */
    json_t *profiles;
};

struct delivery {
    struct con_report *report;
    struct destination *list;
    size_t n;
    uint64_t passed_over;
};

static int add_destination(struct delivery *d, const char *name)
{
    struct destination *more = hd_array_grow(d->list, d->n, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    d->list = more;
    struct destination one = {.name = strdup(name),
                              .outcomes = calloc(d->report->n_published + 1, 1),
                              .profiles = json_object()};
    d->list[d->n++] = one;
    return one.name == NULL || one.outcomes == NULL || one.profiles == NULL ? HD_ENOMEM
                                                                            : HD_OK;
}

/* NULL: there are too many. */
static int destination_of(struct delivery *d, const char *name, struct destination **out)
{
    *out = NULL;
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(d->list[i].name, name) == 0) {
            *out = &d->list[i];
            return HD_OK;
        }
    }
    if (d->n == DESTINATIONS_MAX) {
        return HD_OK;
    }
    int err = add_destination(d, name);
    if (err == HD_OK) {
        *out = &d->list[d->n - 1];
    }
    return err;
}

static enum outcome outcome_of(const json_t *receipt)
{
    const char *word = hd_alert_text(receipt, "outcome");
    enum outcome outcome = OUTCOMES - 1;
    while (outcome > NONE && strcmp(names[outcome], word) != 0) {
        outcome--;
    }
    return outcome;
}

static int by_index(const void *key, const void *published)
{
    uint64_t wanted = *(const uint64_t *)key;
    uint64_t index = ((const struct con_report_published *)published)->index;
    return wanted == index ? 0 : wanted < index ? -1 : 1;
}

static void note(const struct con_report *r, struct destination *to, uint64_t index,
                 enum outcome outcome)
{
    const struct con_report_published *found =
        r->n_published == 0 ? NULL
                            : bsearch(&index, r->published, r->n_published,
                                      sizeof(*r->published), by_index);
    to->done = index > to->done ? index : to->done;
    if (found != NULL) {
        to->outcomes[found - r->published] = (uint8_t)outcome;
    }
}

static int take_receipt(struct delivery *d, const json_t *receipt)
{
    struct destination *to;
    int64_t index = hd_alert_int(receipt, "index", 0);
    enum outcome outcome = outcome_of(receipt);
    int err = destination_of(d, hd_alert_text(receipt, "destination"), &to);
    if (err != HD_OK || to == NULL) {
        d->passed_over += to == NULL;
        return err;
    }
    const char *profile = hd_alert_text(receipt, "profile");
    if (profile[0] != '\0') {
        con_report_put(d->report, to->profiles, profile, json_true());
    }
    if (outcome != NONE && index > 0) {
        note(d->report, to, (uint64_t)index, outcome);
    }
    return HD_OK;
}

static int take_line(void *ctx, struct hd_slice line)
{
    json_t *receipt = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    int err = json_is_object(receipt) ? take_receipt(ctx, receipt) : HD_EPARSE;
    json_decref(receipt);
    return err;
}

/* ---- into the document ---- */

static void put_destination(struct con_report *r, json_t *list,
                            const struct destination *to)
{
    uint64_t counts[OUTCOMES] = {0}, pending = 0;
    for (size_t i = 0; i < r->n_published; i++) {
        bool is_pending = to->outcomes[i] == NONE && r->published[i].index > to->done;
        pending += is_pending;
        counts[to->outcomes[i]] += !is_pending;
    }
    json_t *row = con_report_add(r, list, NULL, json_object());
    con_report_put_text(r, row, "name", to->name);
    for (size_t i = 0; i < OUTCOMES; i++) {
        con_report_put_number(r, row, names[i], counts[i]);
    }
    con_report_put_number(r, row, "pending", pending);
    json_t *profiles = con_report_add(r, row, "profiles", json_array());
    const char *name;
    json_t *value;
    json_object_foreach(to->profiles, name, value)
    {
        con_report_put_text(r, profiles, NULL, name);
    }
}

static void put_all(struct delivery *d, uint64_t bad)
{
    struct con_report *r = d->report;
    json_t *part = con_report_add(r, r->doc, "delivery", json_object());
    json_t *list = con_report_add(r, part, "destinations", json_array());
    con_report_put_number(r, part, "alerts", r->n_published);
    for (size_t i = 0; i < d->n; i++) {
        put_destination(r, list, &d->list[i]);
    }
    if (bad + d->passed_over > 0) {
        con_report_unknown(r, CON_REPORT_UNREADABLE, r->receipts, bad + d->passed_over);
    }
}

static void fini(struct delivery *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->list[i].name);
        free(d->list[i].outcomes);
        json_decref(d->list[i].profiles);
    }
    free(d->list);
}

int con_report_delivery(struct con_report *r)
{
    struct delivery d = {.report = r};
    struct con_journal_lines lines = {.dir = r->receipts,
                                      .keys = r->keys,
                                      .since_ns = r->period.since_ns,
                                      .until_ns = INT64_MAX,
                                      .take = take_line,
                                      .ctx = &d};
    if (json_object_get(r->doc, "alerts") == NULL || !con_report_has_receipts(r)) {
        return HD_EXIT_OK;
    }
    int err = con_journal_lines(&lines);
    if (err == HD_OK) {
        put_all(&d, lines.bad);
    } else if (err != HD_ENOMEM) {
        (void)con_report_is_read(r, r->receipts, err);
    }
    fini(&d);
    return err == HD_ENOMEM ? con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err))
                            : HD_EXIT_OK;
}
