/* SPDX-License-Identifier: Apache-2.0 */
#include "console/backtest_tally.h"

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/utf8.h>

#include <stdlib.h>
#include <string.h>

#define HOUR_NS    (3600 * HD_NS_PER_SEC)
#define INDEX_SIZE 32768U /* a power of two well above CON_TALLY_HOSTS_MAX */

int con_tally_init(struct con_tally *t, const struct rul_set *set, unsigned examples)
{
    *t = (struct con_tally){.n_rules = rul_set_count(set), .examples = examples};
    hd_buf_init(&t->text, 0);
    t->rules = calloc(t->n_rules + 1, sizeof(*t->rules));
    return t->rules == NULL ? HD_ENOMEM : HD_OK;
}

static void rule_fini(struct con_tally_rule *r)
{
    for (size_t i = 0; i < r->n_hosts; i++) {
        free(r->hosts[i].name);
    }
    for (size_t i = 0; i < r->n_examples; i++) {
        free(r->examples[i].position);
        free(r->examples[i].group);
        free(r->examples[i].line);
    }
    free(r->hosts);
    free(r->host_index);
    free(r->hours);
    free(r->examples);
}

void con_tally_fini(struct con_tally *t)
{
    for (size_t i = 0; t->rules != NULL && i < t->n_rules; i++) {
        rule_fini(&t->rules[i]);
    }
    free(t->rules);
    hd_buf_fini(&t->text);
    *t = (struct con_tally){0};
}

/* own: printable, NUL-terminated; NULL and the error noted when memory is short. */
static char *keep(struct con_tally *t, struct hd_slice text)
{
    hd_buf_clear(&t->text);
    hd_utf8_escape(&t->text, text);
    char *kept = strdup(hd_buf_cstr(&t->text));
    if (kept == NULL || t->text.err != HD_OK) {
        t->err = HD_ENOMEM;
    }
    return kept;
}

/* Room for one more; false when memory is short. */
static bool grow(struct con_tally *t, void **list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) {
        return true;
    }
    size_t want = *cap == 0 ? 16 : 2 * *cap;
    void *more = realloc(*list, want * size);
    if (more == NULL) {
        t->err = HD_ENOMEM;
        return false;
    }
    *list = more;
    *cap = want;
    return true;
}

/* ---- hosts ---- */

static uint32_t *host_slot(const struct con_tally_rule *r, const char *name)
{
    uint32_t at = (uint32_t)hd_hash(hd_slice_str(name)) & (INDEX_SIZE - 1);
    while (r->host_index[at] != 0 &&
           strcmp(r->hosts[r->host_index[at] - 1].name, name) != 0) {
        at = (at + 1) & (INDEX_SIZE - 1);
    }
    return &r->host_index[at];
}

static void count(uint64_t *raised, uint64_t *repeats, bool is_repeat)
{
    *raised += !is_repeat;
    *repeats += is_repeat;
}

/* NULL: there is no room. */
static struct con_tally_host *obtain_host(struct con_tally *t, struct con_tally_rule *r,
                                          const char *name)
{
    if (r->host_index == NULL) {
        r->host_index = calloc(INDEX_SIZE, sizeof(*r->host_index));
    }
    if (r->host_index == NULL) {
        t->err = HD_ENOMEM;
        return NULL;
    }
    uint32_t *slot = host_slot(r, name);
    if (*slot != 0) {
        return &r->hosts[*slot - 1];
    }
    char *kept = NULL;
    if (r->n_hosts == CON_TALLY_HOSTS_MAX) {
        return NULL;
    }
    if (grow(t, (void **)&r->hosts, r->n_hosts, &r->hosts_cap, sizeof(*r->hosts))) {
        kept = strdup(name);
    }
    if (kept == NULL) {
        t->err = HD_ENOMEM;
        return NULL;
    }
    r->hosts[r->n_hosts++] = (struct con_tally_host){.name = kept};
    *slot = (uint32_t)r->n_hosts;
    return &r->hosts[r->n_hosts - 1];
}

static void count_host(struct con_tally *t, struct con_tally_rule *r,
                       const struct con_tally_alert *alert)
{
    hd_buf_clear(&t->text);
    hd_utf8_escape(&t->text, alert->host.len > 0 ? alert->host : HD_SLICE("-"));
    struct con_tally_host *host = obtain_host(t, r, hd_buf_cstr(&t->text));
    if (host == NULL) {
        r->other_hosts++;
    } else {
        count(&host->raised, &host->repeats, alert->is_repeat);
    }
}

/* ---- hours ---- */

static int64_t hour_of(int64_t ns)
{
    int64_t start = ns / HOUR_NS * HOUR_NS;
    return start > ns ? start - HOUR_NS : start;
}

/* Where the hour is or belongs; events come nearly in order. */
static size_t hour_place(const struct con_tally_rule *r, int64_t start)
{
    size_t at = r->hour_at;
    while (at > 0 && r->hours[at - 1].start_ns >= start) {
        at--;
    }
    while (at < r->n_hours && r->hours[at].start_ns < start) {
        at++;
    }
    return at;
}

static void count_hour(struct con_tally *t, struct con_tally_rule *r,
                       const struct con_tally_alert *alert)
{
    int64_t start = hour_of(alert->time_ns);
    size_t at = hour_place(r, start);
    if (at == r->n_hours || r->hours[at].start_ns != start) {
        if (!grow(t, (void **)&r->hours, r->n_hours, &r->hours_cap, sizeof(*r->hours))) {
            return;
        }
        memmove(&r->hours[at + 1], &r->hours[at], (r->n_hours - at) * sizeof(*r->hours));
        r->hours[at] = (struct con_tally_hour){.start_ns = start};
        r->n_hours++;
    }
    count(&r->hours[at].raised, &r->hours[at].repeats, alert->is_repeat);
    r->hour_at = at;
}

/* ---- examples ---- */

static char *group_text(struct con_tally *t, const struct rul_detection *d)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (size_t i = 0; d != NULL && i < d->n_group; i++) {
        hd_buf_str(&text, i == 0 ? "" : " ");
        hd_buf_str(&text, d->group[i].field);
        hd_buf_byte(&text, '=');
        hd_buf_slice_add(&text, d->group[i].value);
    }
    char *kept = keep(t, hd_buf_slice(&text));
    hd_buf_fini(&text);
    return kept;
}

static void keep_example(struct con_tally *t, struct con_tally_rule *r,
                         const struct con_tally_alert *alert)
{
    if (r->examples == NULL) {
        r->examples = calloc(t->examples, sizeof(*r->examples));
    }
    if (r->examples == NULL) {
        t->err = HD_ENOMEM;
        return;
    }
    r->examples[r->n_examples++] = (struct con_tally_example){
        .time_ns = alert->time_ns,
        .position = keep(t, alert->position),
        .group = group_text(t, alert->detection),
        .line = keep(t, hd_slice_head(alert->event->raw, CON_TALLY_LINE_MAX)),
    };
}

/* ---- the whole ---- */

void con_tally_add(struct con_tally *t, const struct con_tally_alert *alert)
{
    struct con_tally_rule *r = &t->rules[alert->rule->index];
    bool is_first = r->raised + r->repeats == 0;
    if (is_first || alert->time_ns < r->first_ns) {
        r->first_ns = alert->time_ns;
    }
    if (is_first || alert->time_ns > r->last_ns) {
        r->last_ns = alert->time_ns;
    }
    count(&r->raised, &r->repeats, alert->is_repeat);
    count_host(t, r, alert);
    count_hour(t, r, alert);
    if (alert->event != NULL && !alert->is_repeat && r->n_examples < t->examples) {
        keep_example(t, r, alert);
    }
}

static int by_alerts(const void *a, const void *b)
{
    const struct con_tally_host *x = a;
    const struct con_tally_host *y = b;
    if (x->raised != y->raised) {
        return x->raised > y->raised ? -1 : 1;
    }
    if (x->repeats != y->repeats) {
        return x->repeats > y->repeats ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

void con_tally_finish(struct con_tally *t)
{
    for (size_t i = 0; i < t->n_rules; i++) {
        struct con_tally_rule *r = &t->rules[i];
        free(r->host_index); /* the order changes */
        r->host_index = NULL;
        if (r->n_hosts > 0) {
            qsort(r->hosts, r->n_hosts, sizeof(*r->hosts), by_alerts);
        }
    }
}
