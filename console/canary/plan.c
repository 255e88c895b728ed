/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rules are tried: those named, all, or those proven longest ago.
 */
#include "console/canary/canary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/alert.h>
#include <haidang/hash.h>
#include <haidang/num.h>

#include "console/ask.h"

#define HOST_MAX 256U

/* ---- rules ---- */

struct choice {
    const struct rul_set *set;
    const struct rul_rule **rules;
    size_t n;
    size_t uncovered;
};

static uint64_t parts_of(const struct rul_rule *rule, const struct rul_example_lines *ex)
{
    return rule->type == RUL_DETECTION ? 1 : (uint64_t)ex->n_lines * ex->repeat;
}

/* Can its example be sent? It has to fit the bounds of a canary and one line each. */
static bool has_example(const struct rul_set *set, const struct rul_rule *rule)
{
    struct rul_example_lines ex;
    if (!rule->alerts || !rul_example_find(set, rule, &ex) || ex.n_lines == 0 ||
        parts_of(rule, &ex) > HD_CANARY_PARTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < ex.n_lines; i++) {
        if (ex.lines[i].len == 0 || hd_slice_find_byte(ex.lines[i], '\n') != HD_NPOS) {
            return false;
        }
    }
    return true;
}

static void choose(struct choice *c, const struct rul_rule *rule)
{
    if (has_example(c->set, rule)) {
        c->rules[c->n++] = rule;
    } else {
        c->uncovered += rule->alerts;
    }
}

static int choose_named(struct choice *c, const struct con_args *args)
{
    size_t at = 0;
    const char *name;
    while ((name = con_args_next(args, "rule", &at)) != NULL) {
        const struct rul_rule *rule = rul_set_find(c->set, hd_slice_str(name));
        if (rule == NULL) {
            return con_fail(HD_EXIT_CONFIG, "there is no rule '%s'", name);
        }
        choose(c, rule);
        if (c->uncovered > 0) {
            return con_fail(HD_EXIT_CONFIG, "rule '%s' has no example that can be sent",
                            name);
        }
    }
    return HD_EXIT_OK;
}

static void choose_all(struct choice *c)
{
    for (size_t i = 0; i < rul_set_count(c->set); i++) {
        choose(c, rul_set_rule(c->set, i));
    }
}

struct aged {
    const struct rul_rule *rule;
    int64_t proven_ns; /* 0 = never */
    uint64_t lot;
};

/* Rules that were never proven first, of these by lot: one that cannot be proven must not
 * keep all others away. */
static int by_age(const void *a, const void *b)
{
    const struct aged *x = a;
    const struct aged *y = b;
    if (x->proven_ns != y->proven_ns) {
        return x->proven_ns < y->proven_ns ? -1 : 1;
    }
    return x->lot < y->lot ? -1 : x->lot > y->lot;
}

static int64_t proven_ns(const json_t *row)
{
    int64_t ns = 0;
    return hd_alert_time(row, "proven", &ns) == HD_OK ? ns : 0;
}

/* Rules that the correlator has and we have. */
static int read_ages(const struct rul_set *set, const json_t *answer, struct aged *aged,
                     size_t *n)
{
    size_t i = 0;
    const json_t *row = NULL;
    const json_t *rows = json_object_get(answer, "rules");
    json_array_foreach(rows, i, row)
    {
        const struct rul_rule *rule =
            rul_set_find(set, hd_slice_str(hd_alert_text(row, "id")));
        if (rule == NULL || *n == rul_set_count(set)) {
            continue;
        }
        struct aged *one = &aged[(*n)++];
        one->rule = rule;
        one->proven_ns = proven_ns(row);
        int err = hd_random(&one->lot, sizeof(one->lot));
        if (err != HD_OK) {
            return err;
        }
    }
    return HD_OK;
}

/* From `aged`, as long as there are fewer than `most`. */
static void choose_some(struct choice *c, const struct aged *aged, size_t n, size_t most)
{
    for (size_t i = 0; i < n && c->n < most; i++) {
        choose(c, aged[i].rule);
    }
}

/* Half of them at most were never proven, as long as there are others. */
static void keep_oldest(struct choice *c, struct aged *aged, size_t n, size_t most)
{
    size_t never = 0;
    qsort(aged, n, sizeof(*aged), by_age);
    while (never < n && aged[never].proven_ns == 0) {
        never++;
    }
    choose_some(c, aged, never, (most + 1) / 2);
    choose_some(c, aged + never, n - never, most);
    if (c->n < most) { /* again from the first, without those that are there */
        c->n = 0;
        choose_some(c, aged, n, most);
    }
}

static int choose_oldest(struct choice *c, const struct con_args *args)
{
    char why[256];
    uint32_t most = 1;
    const char *text = con_args_value(args, "oldest");
    if (text != NULL && (hd_num_u32(hd_slice_str(text), UINT32_MAX, &most) != HD_OK)) {
        return con_fail(HD_EXIT_USAGE, "--oldest is a number, not '%s'", text);
    }
    json_t *answer =
        con_ask(con_args_value(args, "run-dir"), "correlator", "/rules", why);
    if (answer == NULL) {
        return con_fail(HD_EXIT_RUNTIME,
                        "the correlator does not say which rules were proven when: %s; "
                        "name --rule or --all",
                        why);
    }
    size_t n = 0;
    struct aged *aged = calloc(rul_set_count(c->set) + 1, sizeof(*aged));
    int err = aged == NULL ? HD_ENOMEM : read_ages(c->set, answer, aged, &n);
    if (err == HD_OK) {
        keep_oldest(c, aged, n, most);
        c->uncovered = 0; /* not all were looked at */
    }
    json_decref(answer);
    free(aged);
    return err == HD_OK ? HD_EXIT_OK : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
}

static int choose_rules(struct choice *c, const struct con_args *args)
{
    size_t at = 0;
    int code = HD_EXIT_OK;
    if (con_args_next(args, "rule", &at) != NULL) {
        code = choose_named(c, args);
    } else if (con_args_flag(args, "all")) {
        choose_all(c);
    } else {
        code = choose_oldest(c, args);
    }
    if (code == HD_EXIT_OK && c->n == 0) {
        code = con_fail(HD_EXIT_CONFIG, "no rule that alerts has an example to send");
    }
    return code;
}

/* ---- shots ---- */

static int make_shot(const struct rul_set *set, const struct rul_rule *rule,
                     struct con_canary_target *target, struct con_canary_shot *shot)
{
    uint8_t random[HD_CANARY_ID_LEN / 2];
    int err = hd_random(random, sizeof(random));
    struct hd_buf id = hd_buf_fixed(shot->id, HD_CANARY_ID_LEN);
    hd_buf_hex(&id, hd_slice(random, sizeof(random)));
    shot->rule = rule;
    shot->target = target;
    (void)rul_example_find(set, rule, &shot->example); /* it was found before */
    shot->parts = (uint32_t)parts_of(rule, &shot->example);
    return err;
}

static int make_shots(const struct choice *c, const struct con_canary_targets *targets,
                      struct con_canary_plan *out)
{
    out->shots = calloc(c->n * targets->n, sizeof(*out->shots));
    if (out->shots == NULL) {
        return HD_ENOMEM;
    }
    int err = HD_OK;
    for (size_t t = 0; t < targets->n && err == HD_OK; t++) {
        for (size_t i = 0; i < c->n && err == HD_OK; i++) {
            err =
                make_shot(c->set, c->rules[i], &targets->list[t], &out->shots[out->n++]);
        }
    }
    return err;
}

int con_canary_plan_make(const struct con_args *args, const struct rul_set *set,
                         const struct con_canary_targets *targets,
                         struct con_canary_plan *out)
{
    struct choice c = {.set = set};
    *out = (struct con_canary_plan){0};
    /* a rule may be named twice */
    c.rules = calloc(rul_set_count(set) + CON_LIST_MAX, sizeof(*c.rules));
    if (c.rules == NULL) {
        return con_fail(HD_EXIT_RUNTIME, "out of memory");
    }
    int code = choose_rules(&c, args);
    if (code == HD_EXIT_OK) {
        int err = make_shots(&c, targets, out);
        code =
            err == HD_OK ? HD_EXIT_OK : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
    }
    out->uncovered = c.uncovered;
    free(c.rules);
    return code;
}

void con_canary_plan_fini(struct con_canary_plan *plan)
{
    free(plan->shots);
    *plan = (struct con_canary_plan){0};
}

int con_canary_plan_line(struct con_canary_shot *shot, const struct hd_sign_key *key,
                         struct hd_buf *out)
{
    const struct rul_example_lines *ex = &shot->example;
    char host[HOST_MAX] = "";
    (void)gethostname(host, sizeof(host) - 1);
    int64_t at_ns = (int64_t)shot->sent * ex->every_ns;
    struct hd_canary canary = {.id = hd_slice(shot->id, HD_CANARY_ID_LEN),
                               .part = shot->sent + 1,
                               .parts = shot->parts,
                               .class = shot->target->class,
                               .rule = hd_slice_str(shot->rule->id),
                               .time_ns = hd_clock_wall_ns(),
                               .at_ms = (uint32_t)(at_ns / HD_NS_PER_MS),
                               .message = ex->lines[shot->sent % ex->n_lines]};
    return hd_canary_write(&canary, key, hd_slice_str(host[0] == '\0' ? "-" : host), out);
}
