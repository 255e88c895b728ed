/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/canary/canaries.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/index.h>
#include <haidang/log.h>

#include "correlator/metrics.h"

#define SEEN_MAX   16384U /* lines; more than come within any window */
#define RUNS_MAX   8U     /* correlations being tried */
#define RUN_MEMORY ((size_t)4 << 20)
#define SILENCE_NS (INT64_C(800) * 86400 * HD_NS_PER_SEC)
/* Correlations that cut time into windows see a run begin at the start of one, as in the
 * tests of rules: 2026-01-01. */
#define RUN_START_NS (INT64_C(1767225600) * HD_NS_PER_SEC)

struct seen {
    char id[HD_CANARY_ID_LEN];
    uint32_t part;
    uint64_t position; /* a hash */
};

struct run {
    char id[HD_CANARY_ID_LEN];
    struct rul_correlator *correlator; /* NULL: none */
    struct cor_rules *rules;           /* a reference */
    const struct rul_rule *rule;
    uint64_t begun; /* the oldest makes room */
    bool has_fired;
};

struct cor_canaries {
    struct cor_outlet *out;
    struct cor_proofs proofs;
    struct hd_index index;
    struct seen *seen;
    uint32_t n_seen, next;
    struct run runs[RUNS_MAX];
    uint64_t n_runs;
    const struct cor_event *event; /* at hand */
};

/* ---- life ---- */

static void end_run(struct run *run)
{
    rul_correlator_free(run->correlator);
    cor_rules_unref(run->rules);
    *run = (struct run){0};
}

void cor_canaries_end_runs(struct cor_canaries *c)
{
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        end_run(&c->runs[i]);
    }
}

void cor_canaries_free(struct cor_canaries *c)
{
    if (c == NULL) {
        return;
    }
    cor_canaries_end_runs(c);
    hd_index_fini(&c->index);
    free(c->seen);
    free(c);
}

int cor_canaries_new(const char *path, const struct cor_rules *rules,
                     struct cor_outlet *out, struct cor_canaries **canaries)
{
    struct cor_canaries *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return HD_ENOMEM;
    }
    c->out = out;
    c->seen = calloc(SEEN_MAX, sizeof(*c->seen));
    if (c->seen == NULL || hd_index_init(&c->index, SEEN_MAX) != HD_OK) {
        cor_canaries_free(c);
        return HD_ENOMEM;
    }
    cor_proofs_load(&c->proofs, path, rules);
    *canaries = c;
    return HD_OK;
}

void cor_canaries_save(struct cor_canaries *c, const struct cor_rules *rules)
{
    cor_proofs_save(&c->proofs, rules);
}

const struct cor_proofs *cor_canaries_proofs(const struct cor_canaries *c)
{
    return &c->proofs;
}

/* ---- seen before? ---- */

struct wanted {
    const struct cor_canaries *canaries;
    const char *id;
    uint32_t part;
};

static bool is_same(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    const struct seen *s = &w->canaries->seen[at];
    return s->part == w->part && memcmp(s->id, w->id, HD_CANARY_ID_LEN) == 0;
}

static uint64_t hash_of(const char *id, uint32_t part)
{
    return hd_hash(hd_slice(id, HD_CANARY_ID_LEN)) + part;
}

static void forget_oldest(struct cor_canaries *c)
{
    if (c->n_seen == SEEN_MAX) {
        const struct seen *s = &c->seen[c->next];
        hd_index_remove(&c->index, hash_of(s->id, s->part), c->next);
        c->n_seen--;
    }
}

/* False: the same line was here from another place; somebody has copied it. At the same
 * place it is ours once more, after a crash. */
static bool is_new(struct cor_canaries *c, const char *id, uint32_t part,
                   struct hd_slice position)
{
    uint64_t where = hd_hash(position);
    uint32_t at = hd_index_find(&c->index, hash_of(id, part), is_same,
                                &(struct wanted){c, id, part});
    if (at != HD_INDEX_NONE) {
        return c->seen[at].position == where;
    }
    forget_oldest(c);
    if (hd_index_add(&c->index, hash_of(id, part), c->next) != HD_OK) {
        return false; /* what cannot be remembered is not believed */
    }
    struct seen *s = &c->seen[c->next];
    memcpy(s->id, id, HD_CANARY_ID_LEN);
    s->part = part;
    s->position = where;
    c->n_seen++;
    c->next = (c->next + 1) % SEEN_MAX;
    return true;
}

void cor_canaries_seed(struct cor_canaries *c, const json_t *alert)
{
    char position[512];
    const char *id = hd_alert_text(alert, "canary.id");
    const json_t *line = json_array_get(hd_alert_at(alert, "evidence"), 0);
    int len =
        snprintf(position, sizeof(position), "%s/%s/%lld", hd_alert_text(line, "agent"),
                 hd_alert_text(line, "boot"), (long long)hd_alert_int(line, "seq", 0));
    if (strlen(id) == HD_CANARY_ID_LEN && len > 0 && (size_t)len < sizeof(position)) {
        (void)is_new(c, id, (uint32_t)hd_alert_int(alert, "canary.parts", 1),
                     hd_slice(position, (size_t)len));
    }
}

/* ---- alerts ---- */

static void publish(struct cor_canaries *c, const struct cor_rules *rules,
                    const struct rul_rule *rule, const struct rul_detection *detection)
{
    char id[37];
    struct cor_alert_input in = {.id = id,
                                 .rule = rule,
                                 .event = c->event,
                                 .detection = detection,
                                 .evidence = &c->event,
                                 .n_evidence = 1};
    if (!cor_outlet_identify(c->out, &in, id)) {
        return;
    }
    cor_proofs_rule(&c->proofs, rules, rule, c->event->canary->time_ns);
    if (cor_outlet_is_known(c->out, id)) {
        COR_COUNT(COR_M_REPLAYED, 1);
        return;
    }
    COR_COUNT(COR_M_TEST_ALERTS, 1);
    cor_outlet_publish(c->out, &in);
}

/* ---- correlations ---- */

struct firing {
    struct cor_canaries *canaries;
    struct run *run;
};

/* Times in a run are made up, those of its alert are not. */
static void on_detection(void *ctx, const struct rul_detection *detection,
                         const struct rul_event_copy *last)
{
    struct firing *f = ctx;
    struct rul_detection shown = *detection;
    (void)last;
    if (detection->rule == f->run->rule && !f->run->has_fired) {
        f->run->has_fired = true;
        shown.first_ns = f->canaries->event->canary->time_ns;
        shown.last_ns = f->canaries->event->copy->recv_ns;
        publish(f->canaries, f->run->rules, f->run->rule, &shown);
    }
}

static struct run *find_run(struct cor_canaries *c, const char *id,
                            const struct cor_rules *rules)
{
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        struct run *run = &c->runs[i];
        if (run->correlator != NULL && run->rules == rules &&
            memcmp(run->id, id, HD_CANARY_ID_LEN) == 0) {
            return run;
        }
    }
    return NULL;
}

static struct run *begin_run(struct cor_canaries *c, const char *id,
                             struct cor_rules *rules, const struct rul_rule *rule)
{
    const struct rul_correlator_opts opts = {
        .memory_max = RUN_MEMORY, .rule_max = RUN_MEMORY, .lateness_ns = SILENCE_NS};
    struct run *run = &c->runs[0];
    for (unsigned i = 1; i < RUNS_MAX; i++) {
        run = c->runs[i].begun < run->begun ? &c->runs[i] : run;
    }
    end_run(run);
    int err = rul_correlator_new(&opts, &run->correlator);
    err = err != HD_OK ? err : rul_correlator_use(run->correlator, rules->set);
    run->rules = cor_rules_ref(rules);
    run->rule = rule;
    run->begun = ++c->n_runs;
    memcpy(run->id, id, HD_CANARY_ID_LEN);
    if (err != HD_OK) {
        HD_LOG(WARN, "canary", "a correlation cannot be tried",
               HD_KV_STR("rule", rule->id), HD_KV_ERR(err));
        end_run(run);
        return NULL;
    }
    return run;
}

static void correlate(struct cor_canaries *c, struct run *run, struct cor_event *event)
{
    const struct cor_canary *canary = event->canary;
    struct firing firing = {c, run};
    int64_t time_ns = event->copy->time_ns;
    event->copy->time_ns = RUN_START_NS + canary->at_ms * HD_NS_PER_MS;
    for (unsigned i = 0; i < canary->n_rules; i++) {
        int err = canary->rules[i]->feeds
                      ? rul_correlate(run->correlator, canary->rules[i], event->copy,
                                      event->position, on_detection, &firing)
                      : HD_OK;
        if (err != HD_OK) {
            HD_LOG(WARN, "canary", "a hit of a canary was not correlated",
                   HD_KV_STR("rule", canary->rules[i]->id), HD_KV_ERR(err));
        }
    }
    if (canary->part == canary->parts) {
        rul_correlator_advance(run->correlator, event->copy->time_ns + SILENCE_NS);
        rul_correlator_close(run->correlator, on_detection, &firing);
    }
    event->copy->time_ns = time_ns;
    if (canary->part == canary->parts) {
        end_run(run);
    }
}

static void take_part(struct cor_canaries *c, struct cor_rules *rules,
                      const struct rul_rule *rule, struct cor_event *event)
{
    struct run *run = find_run(c, event->canary->id, rules);
    if (run == NULL) {
        run = begin_run(c, event->canary->id, rules, rule);
    }
    if (run != NULL) {
        correlate(c, run, event);
    }
}

/* ---- canaries ---- */

static bool has_matched(const struct cor_canary *canary, const struct rul_rule *rule)
{
    for (unsigned i = 0; i < canary->n_rules; i++) {
        if (strcmp(canary->rules[i]->id, rule->id) == 0) {
            return true;
        }
    }
    return false;
}

void cor_canaries_take(struct cor_canaries *c, struct cor_rules *rules,
                       struct cor_event *event, bool is_of_set)
{
    const struct cor_canary *canary = event->canary;
    if (!is_new(c, canary->id, canary->part, event->position)) {
        COR_COUNT(COR_M_CANARIES_REPEATED, 1);
        HD_LOG(WARN, "canary", "a canary came again from another place",
               HD_KV_STR("id", canary->id), HD_KV_SLICE("event", event->position));
        return;
    }
    COR_COUNT(COR_M_CANARIES, 1);
    cor_proofs_class(&c->proofs, canary->class, canary->time_ns);
    const struct rul_rule *rule = rul_set_find(rules->set, hd_slice_str(canary->rule));
    c->event = event;
    if (rule != NULL && rule->type == RUL_DETECTION) {
        if (rule->alerts && has_matched(canary, rule)) {
            publish(c, rules, rule, NULL);
        }
    } else if (rule != NULL && rule->alerts && is_of_set) {
        take_part(c, rules, rule, event);
    }
    c->event = NULL;
}
