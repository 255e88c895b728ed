/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring that is searched from both ends. Under a flood that fires thousands of times a
 * second the exact comparison of groups would cost more than all the rest, so each event
 * carries a signature of its values, and only those whose signature holds the values of
 * the group are compared. It is made when the event is first looked at: under a flood of
 * hits that fires nothing most never are.
 */
#include "correlator/state/evidence.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>
#include <haidang/inet.h>
#include <haidang/utf8.h>

#define HALF       (HD_ALERT_EVIDENCE_MAX / 2)
#define TOLD_MAX   1024U /* detections that are remembered for others */
#define TOLD_BYTES 4096U /* of a group's values: nobody may fill our memory with them */
#define SOUGHT_MAX 32U   /* of them behind one */
#define SIGN_WORDS 4U
#define SIGN_TAKE  256U /* bytes of a value that are looked at */
#define SIGN_HEAD  64U  /* bytes of its canonical form that count */

struct sign { /* two bits a value */
    uint64_t bits[SIGN_WORDS];
};

struct kept {
    struct cor_event *event;
    const struct rul_rule *rule; /* of the set in use, as the numbers of its fields */
    struct sign sign;            /* made when it is first sought among */
    bool is_signed;
};

struct told { /* a detection that may be counted: its rule, times and group's values */
    struct rul_detection detection;
    uint8_t *values; /* of its group; NULL: it was forgotten */
};

struct cor_evidence {
    struct told told[TOLD_MAX];
    uint32_t n_told; /* ever: the newest are in told[n % TOLD_MAX] */
    struct cor_evidence_opts opts;
    struct kept *ring;
    uint32_t first, n;
    size_t bytes;
    struct hd_buf text; /* scratch */
};

int cor_evidence_new(const struct cor_evidence_opts *opts, struct cor_evidence **out)
{
    if (opts->events == 0) {
        return HD_EINVAL;
    }
    struct cor_evidence *ev = calloc(1, sizeof(*ev));
    if (ev == NULL) {
        return HD_ENOMEM;
    }
    ev->opts = *opts;
    hd_buf_init(&ev->text, 0);
    ev->ring = calloc(opts->events, sizeof(*ev->ring));
    if (ev->ring == NULL) {
        free(ev);
        return HD_ENOMEM;
    }
    *out = ev;
    return HD_OK;
}

static struct kept *at(const struct cor_evidence *ev, uint32_t i)
{
    return &ev->ring[(ev->first + i) % ev->opts.events];
}

static void drop_oldest(struct cor_evidence *ev)
{
    struct cor_event *event = at(ev, 0)->event;
    ev->bytes -= event->bytes;
    cor_event_unref(event);
    ev->first = (ev->first + 1) % ev->opts.events;
    ev->n--;
}

static void forget_told(struct told *told)
{
    free(told->values);
    *told = (struct told){.values = NULL};
}

void cor_evidence_free(struct cor_evidence *ev)
{
    if (ev == NULL) {
        return;
    }
    while (ev->n > 0) {
        drop_oldest(ev);
    }
    for (uint32_t i = 0; i < TOLD_MAX; i++) {
        forget_told(&ev->told[i]);
    }
    hd_buf_fini(&ev->text);
    free(ev->ring);
    free(ev);
}

/* ---- signatures ---- */

static void sign_canonical(struct sign *sign, struct hd_slice text)
{
    uint64_t hash = hd_hash(hd_slice_head(text, SIGN_HEAD));
    sign->bits[hash & 3U] |= UINT64_C(1) << ((hash >> 8) & 63U);
    sign->bits[(hash >> 16) & 3U] |= UINT64_C(1) << ((hash >> 24) & 63U);
}

/* The form in which detections say their groups: addresses in their one spelling, other
 * values folded. */
static void sign_value(struct cor_evidence *ev, struct sign *sign, struct hd_slice value)
{
    struct hd_ip ip;
    char text[HD_IP_TEXT_MAX];
    if (hd_ip_parse(value, &ip) == HD_OK) {
        sign_canonical(sign, hd_slice(text, hd_ip_format(&ip, text)));
        return;
    }
    hd_buf_clear(&ev->text);
    hd_utf8_fold(&ev->text, hd_slice_head(value, SIGN_TAKE));
    sign_canonical(sign, hd_buf_slice(&ev->text));
}

static struct sign sign_of(struct cor_evidence *ev, const struct rul_event_copy *copy)
{
    struct sign sign = {0};
    for (uint16_t i = 0; i < copy->n; i++) {
        sign_value(ev, &sign, copy->values[i].value);
    }
    return sign;
}

static bool holds(const struct sign *all, const struct sign *some)
{
    for (unsigned i = 0; i < SIGN_WORDS; i++) {
        if ((some->bits[i] & ~all->bits[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- keeping and finding ---- */

void cor_evidence_keep(struct cor_evidence *ev, const struct rul_rule *rule,
                       struct cor_event *event)
{
    size_t bytes = event->bytes;
    while (ev->n > 0 &&
           (ev->n == ev->opts.events || ev->bytes + bytes > ev->opts.bytes)) {
        drop_oldest(ev);
    }
    if (bytes > ev->opts.bytes) {
        return;
    }
    *at(ev, ev->n) = (struct kept){.event = cor_event_ref(event), .rule = rule};
    ev->n++;
    ev->bytes += bytes;
}

static size_t group_len(const struct rul_detection *d)
{
    size_t len = 1;
    for (size_t i = 0; i < d->n_group; i++) {
        len += d->group[i].value.len;
    }
    return len;
}

void cor_evidence_tell(struct cor_evidence *ev, const struct rul_detection *detection)
{
    struct told *told = &ev->told[ev->n_told % TOLD_MAX];
    size_t len = group_len(detection);
    uint8_t *to = len > TOLD_BYTES ? NULL : malloc(len);
    if (to == NULL) {
        return; /* its events are missing among the evidence, no more */
    }
    forget_told(told);
    told->values = to;
    told->detection = (struct rul_detection){.rule = detection->rule,
                                             .first_ns = detection->first_ns,
                                             .last_ns = detection->last_ns,
                                             .end_ns = detection->end_ns,
                                             .n_group = detection->n_group};
    for (size_t i = 0; i < detection->n_group; i++) {
        struct hd_slice value = detection->group[i].value;
        if (value.len > 0) {
            memcpy(to, value.ptr, value.len);
        }
        told->detection.group[i].value =
            value.ptr == NULL ? value : hd_slice(to, value.len);
        to += value.len;
    }
    ev->n_told = ev->n_told + 1 < 2 * TOLD_MAX ? ev->n_told + 1 : TOLD_MAX;
}

/* ---- another set ---- */

/* NULL: there is none that means the same. */
static const struct rul_rule *heir_of(const struct rul_rule *rule,
                                      const struct rul_set *to)
{
    const struct rul_rule *heir = rul_set_find(to, hd_slice_str(rule->id));
    return heir != NULL && heir->hash == rule->hash ? heir : NULL;
}

/* Each once around the ring. Hits of one event follow each other. */
static void move_kept(struct cor_evidence *ev, const struct rul_set *from,
                      const struct rul_set *to)
{
    const struct cor_event *moved = NULL;
    for (uint32_t n = ev->n; n > 0; n--) {
        struct kept *k = at(ev, 0);
        struct cor_event *event = cor_event_ref(k->event);
        const struct rul_rule *heir = heir_of(k->rule, to);
        if (event != moved) {
            rul_event_move(event->copy, from, to);
            moved = event;
        }
        drop_oldest(ev);
        if (heir != NULL) {
            cor_evidence_keep(ev, heir, event);
        }
        cor_event_unref(event);
    }
}

void cor_evidence_move(struct cor_evidence *ev, const struct rul_set *from,
                       const struct rul_set *to)
{
    move_kept(ev, from, to);
    for (uint32_t i = 0; i < TOLD_MAX; i++) {
        struct told *told = &ev->told[i];
        if (told->values != NULL) {
            told->detection.rule = heir_of(told->detection.rule, to);
        }
        if (told->detection.rule == NULL) {
            forget_told(told);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    const struct cor_event *x = *(const struct cor_event *const *)a;
    const struct cor_event *y = *(const struct cor_event *const *)b;
    if (x->copy->time_ns != y->copy->time_ns) {
        return x->copy->time_ns < y->copy->time_ns ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* One event may have fed several rules: its hits follow each other. */
static bool has_event(const struct cor_event *const *list, size_t n,
                      const struct cor_event *event)
{
    return n > 0 && list[n - 1] == event;
}

struct search {
    struct cor_evidence *evidence;
    const struct rul_set *set;
    uint32_t n_sought;
    struct sought { /* the detection, and what it counted */
        const struct rul_detection *detection;
        struct sign sign; /* of the group's values */
    } sought[SOUGHT_MAX];
    const struct cor_event **out;
    size_t n;
};

static void seek(struct search *s, const struct rul_detection *detection)
{
    struct sought *sought = &s->sought[s->n_sought++];
    *sought = (struct sought){.detection = detection};
    for (size_t i = 0; i < detection->n_group; i++) {
        if (detection->group[i].value.ptr != NULL) {
            sign_canonical(&sought->sign, detection->group[i].value);
        }
    }
}

static bool is_sought(const struct search *s, const struct rul_detection *detection)
{
    uint32_t i = 0;
    while (i < s->n_sought && s->sought[i].detection != detection) {
        i++;
    }
    return i < s->n_sought;
}

/* Those behind the one, the newest first. */
static void seek_behind(struct search *s, const struct rul_detection *upper)
{
    const struct cor_evidence *ev = s->evidence;
    uint32_t n = ev->n_told < TOLD_MAX ? ev->n_told : TOLD_MAX;
    for (uint32_t i = 0; i < n && s->n_sought < SOUGHT_MAX; i++) {
        const struct told *told = &ev->told[(ev->n_told - 1 - i) % TOLD_MAX];
        const struct rul_detection *lower = &told->detection;
        if (told->values != NULL && !is_sought(s, lower) &&
            rul_detection_counts(s->set, upper, lower)) {
            seek(s, lower);
        }
    }
}

static void seek_all(struct search *s, const struct rul_detection *detection)
{
    seek(s, detection);
    for (uint32_t i = 0; i < s->n_sought; i++) {
        if (rul_counts_detections(s->set, s->sought[i].detection->rule)) {
            seek_behind(s, s->sought[i].detection);
        }
    }
}

static bool belongs(const struct search *s, const struct kept *k)
{
    for (uint32_t i = 0; i < s->n_sought; i++) {
        if (holds(&k->sign, &s->sought[i].sign) &&
            rul_detection_covers(s->set, s->sought[i].detection, k->rule,
                                 k->event->copy)) {
            return true;
        }
    }
    return false;
}

/* Takes the event when it belongs to one of them. */
static void examine(struct search *s, struct kept *k)
{
    if (!k->is_signed) {
        k->sign = sign_of(s->evidence, k->event->copy);
        k->is_signed = true;
    }
    if (!has_event(s->out, s->n, k->event) && belongs(s, k)) {
        s->out[s->n++] = k->event;
    }
}

size_t cor_evidence_find(struct cor_evidence *ev, const struct rul_set *set,
                         const struct rul_detection *detection,
                         const struct cor_event *out[HD_ALERT_EVIDENCE_MAX])
{
    struct search s = {.evidence = ev, .set = set, .out = out};
    seek_all(&s, detection);
    for (uint32_t i = 0; i < ev->n && s.n < HALF; i++) {
        examine(&s, at(ev, i));
    }
    const struct cor_event *last_first = s.n == 0 ? NULL : out[s.n - 1];
    for (uint32_t i = ev->n; s.n >= HALF && i > 0 && s.n < HD_ALERT_EVIDENCE_MAX; i--) {
        struct kept *k = at(ev, i - 1);
        if (k->event == last_first) {
            break;
        }
        examine(&s, k);
    }
    qsort(out, s.n, sizeof(out[0]), by_time);
    return s.n;
}
