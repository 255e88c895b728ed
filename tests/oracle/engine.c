/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine as a filter, for comparing it with the other reading of the specification.
 *
 *     oracle_engine DECODERS PLACEHOLDERS RULES...    lines on stdin
 *
 * Prints a line for each line: the ids of the rules that fired, with blanks between them.
 * Bad rules are left out, told on stderr.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rules/set.h"

struct engine {
    struct rul_set *set;
    struct rul_scratch *scratch;
    struct rul_decode_scratch *decode;
    struct rul_event *ev;
};

static void on_diag(void *ctx, const struct hd_diag *diag)
{
    (void)ctx;
    if (diag->level == HD_DIAG_ERROR) {
        (void)fprintf(stderr, "%s:%u:%u: %s\n", diag->file, diag->line, diag->column,
                      diag->text);
    }
}

static int open_engine(struct engine *e, const struct rul_set_opts *opts)
{
    struct hd_diags diags = {on_diag, NULL, 0, 0};
    int err = rul_set_load(opts, &e->set, &diags);
    if (err == 0) {
        err = rul_scratch_new(e->set, &e->scratch);
    }
    if (err == 0) {
        err = rul_decode_scratch_new(&e->decode);
    }
    e->ev = calloc(1, sizeof(*e->ev));
    return err != 0 ? err : e->ev == NULL ? HD_ENOMEM : 0;
}

static void close_engine(struct engine *e)
{
    free(e->ev);
    rul_decode_scratch_free(e->decode);
    rul_scratch_free(e->scratch);
    rul_set_unref(e->set);
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    const char **gap = ctx;
    (void)ev;
    (void)printf("%s%s", *gap, rule->id);
    *gap = " ";
}

static void match_line(struct engine *e, struct hd_slice line)
{
    static const struct hd_batch_source source = {.format = HD_SLICE("json")};
    const struct rul_record record = {&source, INT64_C(1790000000000000000), line};
    const char *gap = "";
    rul_decode(rul_set_decoders(e->set), e->decode, &record, e->ev);
    rul_match(e->set, e->scratch, e->ev, on_hit, &gap);
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    struct engine e = {0};
    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: oracle_engine DECODERS PLACEHOLDERS RULES... <LINES\n");
        return 2;
    }
    const struct rul_set_opts opts = {.decoders_dir = argv[1],
                                      .placeholders_dir = argv[2],
                                      .rules = (const char *const *)argv + 3,
                                      .n_rules = (size_t)argc - 3,
                                      .keep_going = true};
    int err = open_engine(&e, &opts);
    if (err != 0) {
        (void)fprintf(stderr, "rules do not load: %s\n", hd_err_text(err));
        close_engine(&e);
        return 1;
    }
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n = 0; (n = getline(&line, &cap, stdin)) > 0;) {
        match_line(&e, hd_slice(line, (size_t)n - (line[n - 1] == '\n')));
    }
    free(line);
    close_engine(&e);
    return 0;
}
