/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/compile/program.h"

#include <stdlib.h>

#include "rules/compile/build.h"

static int intern_filters(struct rul_program *p, struct rul_interner *in, uint32_t rule,
                          const struct rul_doc *doc)
{
    int err = 0;
    for (const struct rul_filter_link *l = doc->filters; l != NULL && err == 0;
         l = l->next) {
        err = rul_grow(&p->filter_uses, p->n_filter_uses, sizeof(*p->filter_uses));
        if (err == 0) {
            struct rul_filter_use *use = &p->filter_uses[p->n_filter_uses++];
            *use = (struct rul_filter_use){.rule = rule, .filter = l->filter};
            err = rul_intern_expr(in, l->expr, &use->ref);
        }
    }
    return err;
}

static int intern_rules(struct rul_program *p, struct rul_fields *fields,
                        struct rul_doc *const *docs, struct hd_diags *diags)
{
    struct rul_interner *in = NULL;
    int err = rul_interner_new(p, fields, &in);
    for (uint32_t i = 0; i < p->n_roots && err == 0; i++) {
        p->roots[i] = UINT32_MAX;
        p->first_filter[i] = p->n_filter_uses;
        p->first_filter[i + 1] = p->n_filter_uses;
        if (docs[i]->expr == NULL) {
            continue;
        }
        err = rul_intern_expr(in, docs[i]->expr, &p->roots[i]);
        if (err == 0) {
            err = intern_filters(p, in, i, docs[i]);
            p->first_filter[i + 1] = p->n_filter_uses;
        }
        if (err == HD_ELIMIT) {
            hd_diag_error(diags, docs[i]->rule.file, docs[i]->rule.line, 0,
                          "the set names more than %u fields", RUL_FIELDS_MAX);
        }
    }
    rul_interner_free(in);
    return err;
}

int rul_program_build(struct rul_program *p, const struct rul_compile_opts *opts,
                      struct rul_doc *const *docs, uint32_t n_docs,
                      struct hd_diags *diags)
{
    *p = (struct rul_program){0};
    hd_arena_init(&p->arena, 0);
    p->roots = calloc((size_t)n_docs + 1, sizeof(*p->roots));
    p->first_filter = calloc((size_t)n_docs + 1, sizeof(*p->first_filter));
    if (p->roots == NULL || p->first_filter == NULL) {
        rul_program_fini(p);
        return HD_ENOMEM;
    }
    p->n_roots = n_docs;
    int err = intern_rules(p, opts->fields, docs, diags);
    if (err == 0 && !opts->no_databases) {
        err = rul_dispatch_build(p, opts, docs, diags);
    }
    if (err != 0) {
        rul_program_fini(p);
    }
    return err;
}

void rul_program_fini(struct rul_program *p)
{
    for (uint16_t i = 0; p->dispatch != NULL && i < p->n_classes; i++) {
        rul_dispatch_fini(&p->dispatch[i]);
    }
    for (uint32_t i = 0; i < p->n_expressions; i++) {
        rul_regex_free(p->expressions[i].pcre);
    }
    free(p->dispatch);
    free(p->uses);
    free(p->rule_refs);
    free(p->roots);
    free(p->first_filter);
    free(p->filter_uses);
    free(p->numbers);
    free(p->networks);
    free(p->expressions);
    free(p->globs);
    free(p->kids);
    free(p->nodes);
    free(p->preds);
    hd_arena_fini(&p->arena);
    *p = (struct rul_program){0};
}
