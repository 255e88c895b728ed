/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/select.h"

#include <stdlib.h>
#include <string.h>

#include "rules/snapshot.h"

const char *const rul_levels[] = {"informational", "low",      "medium",
                                  "high",          "critical", NULL};
const char *const rul_statuses[] = {"stable",     "test",        "experimental",
                                    "deprecated", "unsupported", NULL};

enum want { WANT_NOT, WANT_NEEDED, WANT_CHOSEN };

struct selection {
    size_t level;      /* index, at least */
    unsigned statuses; /* bit per index; 0: any */
    struct rul_doc **docs;
    uint8_t *want; /* enum want */
    uint32_t n;
    struct rul_names *names; /* ids and names -> index in docs */
};

/* n when the word is not there. */
static size_t index_of(const char *word, const char *const *words, size_t n)
{
    size_t i = 0;
    while (i < n && strcmp(word, words[i]) != 0) {
        i++;
    }
    return i;
}

static int unknown(struct hd_diags *diags, const char *what, const char *word,
                   const char *const *words, size_t n)
{
    struct hd_diag_hint hint;
    hd_diag_error(diags, NULL, 0, 0, "'%s' is no %s of rules%s", word, what,
                  hd_diag_hint(hd_slice_str(word), words, n, &hint));
    return HD_EINVAL;
}

static int read_opts(struct selection *s, const struct rul_set_opts *opts,
                     struct hd_diags *diags)
{
    s->level =
        opts->min_level == NULL ? 0 : index_of(opts->min_level, rul_levels, RUL_LEVELS);
    if (s->level == RUL_LEVELS) {
        return unknown(diags, "level", opts->min_level, rul_levels, RUL_LEVELS);
    }
    for (size_t i = 0; i < opts->n_statuses; i++) {
        size_t at = index_of(opts->statuses[i], rul_statuses, RUL_STATUSES);
        if (at == RUL_STATUSES) {
            return unknown(diags, "status", opts->statuses[i], rul_statuses,
                           RUL_STATUSES);
        }
        s->statuses |= 1U << at;
    }
    return 0;
}

/* A rule without a status is nobody's experiment: it is always chosen. */
static bool is_chosen(const struct selection *s, const struct rul_rule *rule)
{
    size_t status = index_of(rule->status, rul_statuses, RUL_STATUSES);
    return index_of(rule->level, rul_levels, RUL_LEVELS) >= s->level &&
           (s->statuses == 0 || status == RUL_STATUSES ||
            (s->statuses >> status & 1U) != 0);
}

static int add_name(struct selection *s, const char *name, uint32_t index)
{
    int err = name[0] == 0 ? 0 : rul_names_add(s->names, hd_slice_str(name), &index);
    return err == HD_EEXIST ? 0 : err; /* told of later */
}

static int gather(struct selection *s, struct rul_doc *list)
{
    uint32_t n = 0;
    for (const struct rul_doc *d = list; d != NULL; d = d->next) {
        n++;
    }
    s->docs = calloc((size_t)n + 1, sizeof(struct rul_doc *));
    s->want = calloc((size_t)n + 1, 1);
    int err = s->docs == NULL || s->want == NULL ? HD_ENOMEM : rul_names_new(&s->names);
    for (struct rul_doc *d = list; d != NULL && err == 0; d = d->next) {
        s->docs[s->n] = d;
        s->want[s->n] = is_chosen(s, &d->rule) ? WANT_CHOSEN : WANT_NOT;
        err = add_name(s, d->rule.id, s->n);
        err = err != 0 ? err : add_name(s, d->rule.name, s->n);
        s->n++;
    }
    return err;
}

/* What wanted correlations count is needed; true when that was news. */
static bool need_parts(struct selection *s, uint32_t index)
{
    const struct rul_corr_ast *corr = s->docs[index]->corr;
    bool news = false;
    for (size_t i = 0; corr != NULL && i < corr->n_rules; i++) {
        uint32_t part = rul_names_find(s->names, corr->rules[i].text);
        if (part != UINT32_MAX && s->want[part] == WANT_NOT) {
            s->want[part] = WANT_NEEDED;
            news = true;
        }
    }
    return news;
}

static void mark_needed(struct selection *s)
{
    for (bool news = true; news;) {
        news = false;
        for (uint32_t i = 0; i < s->n; i++) {
            news |= s->want[i] != WANT_NOT && need_parts(s, i);
        }
    }
}

int rul_select(struct rul_doc **list, const struct rul_set_opts *opts, uint32_t *left_out,
               struct hd_diags *diags)
{
    struct selection s = {0};
    *left_out = 0;
    int err = read_opts(&s, opts, diags);
    if (err != 0 || (s.level == 0 && s.statuses == 0)) {
        return err;
    }
    err = gather(&s, *list);
    struct rul_doc **tail = list;
    if (err == 0) {
        mark_needed(&s);
    }
    for (uint32_t i = 0; i < s.n && err == 0; i++) {
        if (s.want[i] == WANT_NOT) {
            ++*left_out;
            continue;
        }
        s.docs[i]->is_only_needed = s.want[i] == WANT_NEEDED;
        *tail = s.docs[i];
        tail = &s.docs[i]->next;
    }
    if (err == 0) {
        *tail = NULL;
    }
    rul_names_free(s.names);
    free(s.docs);
    free(s.want);
    return err;
}
