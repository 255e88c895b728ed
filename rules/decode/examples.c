/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the examples inside decoder files: what a decoder promises, proved at each build.
 */
#include <stdlib.h>

#include "rules/decode/decoder.h"

#define SHOWN_MAX 120 /* bytes of a value in a message */

static int shown(struct hd_slice s)
{
    return (int)(s.len < SHOWN_MAX ? s.len : SHOWN_MAX);
}

struct example_run {
    const struct rul_decoders *set;
    const struct rul_decode_example *example;
    const struct rul_event *ev;
    struct hd_diags *diags;
    unsigned failures;
};

static void fail(struct example_run *run, const char *what, struct hd_slice want,
                 struct hd_slice got)
{
    const char *file = run->set->all[run->example->decoder].file;
    hd_diag_error(run->diags, file, run->example->line_no, 0,
                  "example: %s is \"%.*s\", not \"%.*s\"", what, shown(got),
                  (const char *)got.ptr, shown(want), (const char *)want.ptr);
    run->failures++;
}

static void check_fields(struct example_run *run)
{
    for (uint16_t i = 0; i < run->example->n_fields; i++) {
        const struct rul_decode_example_field *field = &run->example->fields[i];
        bool has = rul_event_has(run->ev, field->field);
        struct hd_slice got = rul_event_get(run->ev, field->field);
        char name[80];
        struct hd_slice text = rul_fields_name(run->set->fields, field->field);
        size_t len = text.len < sizeof(name) - 1 ? text.len : sizeof(name) - 1;
        memcpy(name, text.ptr, len);
        name[len] = '\0';
        if (field->is_absent ? has : !has || !hd_slice_eq(got, field->value)) {
            struct hd_slice none = HD_SLICE("(absent)");
            fail(run, name, field->is_absent ? none : field->value, has ? got : none);
        }
    }
}

static void check_example(struct example_run *run)
{
    const struct rul_decode_example *example = run->example;
    struct hd_slice decoder = hd_slice_str(run->ev->decoder);
    struct hd_slice pattern = hd_slice_str(run->ev->pattern);
    struct hd_slice want = example->want_decoder.len > 0
                               ? example->want_decoder
                               : hd_slice_str(run->set->all[example->decoder].name);
    unsigned before = run->failures;
    if (!hd_slice_eq(decoder, want)) {
        fail(run, "the decoder", want, decoder);
    }
    if (example->want_pattern.len > 0 && !hd_slice_eq(pattern, example->want_pattern)) {
        fail(run, "the pattern", example->want_pattern, pattern);
    }
    if (run->failures == before) {
        check_fields(run);
    }
    run->failures = before + (run->failures > before ? 1 : 0);
}

static int run_examples(const struct rul_decoders *set, struct hd_diags *diags,
                        unsigned *failures)
{
    struct rul_event *ev = calloc(1, sizeof(*ev));
    struct rul_decode_scratch *scratch = NULL;
    int rc = ev == NULL ? HD_ENOMEM : rul_decode_scratch_new(&scratch);
    struct example_run run = {.set = set, .ev = ev, .diags = diags};
    for (uint16_t i = 0; rc == 0 && i < set->n_examples; i++) {
        run.example = &set->examples[i];
        struct hd_batch_source source = {.host = HD_SLICE("example"),
                                         .format = run.example->format};
        struct rul_record record = {&source, hd_clock_wall_ns(), run.example->line};
        rul_decode(set, scratch, &record, ev);
        check_example(&run);
    }
    *failures = run.failures;
    rul_decode_scratch_free(scratch);
    free(ev);
    return rc;
}

unsigned rul_decoders_test(const char *dir, struct hd_diags *diags, unsigned *examples)
{
    struct rul_decoders_opts opts = {.dir = dir};
    struct rul_fields *fields = NULL;
    struct rul_decoders *set = NULL;
    unsigned failures = 0;
    *examples = 0;
    int rc = rul_fields_new(&fields);
    if (rc == 0) {
        rc = rul_decoders_load(&opts, fields, &set, diags);
    }
    if (rc == 0) {
        *examples = set->n_examples;
        rc = run_examples(set, diags, &failures);
    }
    if (rc != 0) {
        hd_diag_error(diags, dir, 0, 0, "decoders cannot be tested: %s", hd_err_text(rc));
        failures++;
    }
    rul_decoders_free(set);
    rul_fields_free(fields);
    return failures;
}
