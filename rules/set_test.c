/* SPDX-License-Identifier: Apache-2.0
 *
 * The examples inside rule files, run through decode, match and, for correlations, the
 * correlator: the same path that a line takes in the correlator.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/clock.h>

#include "rules/correlate/correlate.h"
#include "rules/examples.h"
#include "rules/snapshot.h"

#define START_NS (INT64_C(1767225600) * HD_NS_PER_SEC) /* 2026-01-01 */

struct run {
    const struct rul_set *set;
    struct hd_diags *diags;
    struct rul_scratch *scratch;
    struct rul_decode_scratch *decode;
    struct rul_event *ev;
    struct rul_correlator *correlator; /* NULL: detections only */
    const struct rul_rule *rule;
    int64_t now_ns;
    uint64_t lines;
    unsigned fired; /* the rule under test */
    int err;
};

static void on_detection(void *ctx, const struct rul_detection *detection,
                         const struct rul_event_copy *last)
{
    struct run *run = ctx;
    (void)last;
    run->fired += detection->rule == run->rule;
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct run *run = ctx;
    if (run->correlator == NULL) {
        run->fired += rule == run->rule;
        return;
    }
    char position[32];
    struct rul_event_copy *copy = NULL;
    int n = snprintf(position, sizeof(position), "line/%" PRIu64, run->lines);
    int err = rul_event_copy(ev, &copy);
    if (err == 0) {
        err = rul_correlate(run->correlator, rule, copy, hd_slice(position, (size_t)n),
                            on_detection, run);
    }
    free(copy);
    run->err = run->err != 0 ? run->err : err;
}

static void play_line(struct run *run, const struct rul_example *ex, struct hd_slice line)
{
    const struct hd_batch_source source = {.host = hd_slice_str(ex->host),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("example"),
                                           .format = hd_slice_str(ex->format)};
    const struct rul_record record = {&source, run->now_ns, line};
    rul_decode(run->set->decoders, run->decode, &record, run->ev);
    run->ev->time_ns = run->now_ns;
    run->lines++;
    rul_match(run->set, run->scratch, run->ev, on_hit, run);
    run->now_ns += ex->every_ns;
}

static void report(struct run *run, const struct rul_example *ex, const char *what)
{
    hd_diag_error(run->diags, run->rule->file, ex->line, 0,
                  "example of '%s' %s (its last line was read as %s%s%s)",
                  run->rule->title, what,
                  run->ev->decoder != NULL ? run->ev->decoder : "plain text",
                  run->ev->pattern != NULL ? "/" : "",
                  run->ev->pattern != NULL ? run->ev->pattern : "");
}

/* Every line on its own. */
static bool test_detection(struct run *run, const struct rul_example *ex)
{
    for (size_t i = 0; i < ex->n_lines; i++) {
        run->fired = 0;
        play_line(run, ex, ex->lines[i]);
        if ((run->fired > 0) != ex->must_match) {
            report(run, ex, ex->must_match ? "does not fire it" : "fires it");
            return false;
        }
    }
    return true;
}

/* All lines, `repeat` times over, then silence until every window has ended. */
static bool test_correlation(struct run *run, const struct rul_example *ex,
                             struct rul_set *set)
{
    const struct rul_correlator_opts opts = {0};
    run->err = rul_correlator_new(&opts, &run->correlator);
    if (run->err == 0) {
        run->err = rul_correlator_use(run->correlator, set);
    }
    run->fired = 0;
    run->now_ns = START_NS;
    for (uint32_t n = 0; n < ex->repeat && run->err == 0; n++) {
        for (size_t i = 0; i < ex->n_lines; i++) {
            play_line(run, ex, ex->lines[i]);
        }
    }
    if (run->err == 0) {
        rul_correlator_advance(run->correlator,
                               run->now_ns + INT64_C(800) * 86400 * HD_NS_PER_SEC);
        rul_correlator_close(run->correlator, on_detection, run);
    }
    rul_correlator_free(run->correlator);
    run->correlator = NULL;
    if (run->err != 0 || (run->fired > 0) != ex->must_match) {
        report(run, ex,
               run->err != 0    ? hd_err_text(run->err)
               : ex->must_match ? "does not fire it"
                                : "fires it");
        return false;
    }
    return true;
}

bool rul_example_find(const struct rul_set *set, const struct rul_rule *rule,
                      struct rul_example_lines *out)
{
    const struct rul_example *ex = set->examples[rule->index];
    while (ex != NULL && (!ex->must_match || strcmp(ex->format, "auto") != 0)) {
        ex = ex->next;
    }
    if (ex != NULL) {
        *out =
            (struct rul_example_lines){ex->lines, ex->n_lines, ex->repeat, ex->every_ns};
    }
    return ex != NULL;
}

static unsigned test_rules(struct run *run, struct rul_set *set, unsigned *examples)
{
    unsigned failed = 0;
    for (uint32_t i = 0; i < set->n_rules; i++) {
        run->rule = &set->rules[i];
        for (const struct rul_example *ex = set->examples[i]; ex != NULL; ex = ex->next) {
            bool ok = run->rule->type == RUL_DETECTION ? test_detection(run, ex)
                                                       : test_correlation(run, ex, set);
            failed += !ok;
            ++*examples;
        }
    }
    return failed;
}

unsigned rul_set_test(struct rul_set *set, struct hd_diags *diags, unsigned *examples)
{
    struct run run = {.set = set, .diags = diags, .now_ns = START_NS};
    *examples = 0;
    if (set->decoders == NULL) {
        hd_diag_error(diags, NULL, 0, 0, "examples need decoders");
        return 1;
    }
    run.ev = calloc(1, sizeof(*run.ev));
    int err = run.ev == NULL ? HD_ENOMEM : rul_scratch_new(set, &run.scratch);
    if (err == 0) {
        err = rul_decode_scratch_new(&run.decode);
    }
    unsigned failed = 1;
    if (err == 0) {
        failed = test_rules(&run, set, examples);
    } else {
        hd_diag_error(diags, NULL, 0, 0, "examples cannot be run: %s", hd_err_text(err));
    }
    rul_decode_scratch_free(run.decode);
    rul_scratch_free(run.scratch);
    free(run.ev);
    return failed;
}
