/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a set: files -> documents -> program. Detections come first in the set, then
 * the correlations, so that a correlation that names nothing can be left out.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <haidang/fs.h>
#include <haidang/hash.h>

#include "rules/aliases.h"
#include "rules/declared.h"
#include "rules/match/regex_cost.h"
#include "rules/parse/collection.h"
#include "rules/parse/placeholder.h"
#include "rules/select.h"
#include "rules/snapshot.h"

#define DIR_DEPTH_MAX 16U
#define DOCS_MAX      200000U

struct loader {
    const struct rul_set_opts *opts;
    struct rul_set *set;
    struct hd_diags *diags;
    struct hd_arena load;
    struct hd_buf hashes; /* of all files, in order */
    struct rul_placeholders placeholders;
    struct rul_doc *first, **tail;
    struct rul_doc *filters, **filters_tail;
    uint32_t n_docs;
    unsigned refused;
    unsigned depth;
    uint64_t regex_work; /* of the rules taken so far */
};

/* ---- files ---- */

static bool is_rule_file(struct hd_slice name)
{
    return hd_slice_ends(name, HD_SLICE(".yml")) ||
           hd_slice_ends(name, HD_SLICE(".yaml"));
}

static int add_hash(struct loader *l, struct hd_slice text)
{
    uint8_t sum[HD_SHA256_LEN];
    int err = hd_sha256(text, sum);
    hd_buf_bytes(&l->hashes, sum, sizeof(sum));
    return err != 0 ? err : l->hashes.err;
}

static int add_document(struct loader *l, struct rul_reader *r, struct rul_collection *c,
                        const struct hd_yaml *root)
{
    struct rul_doc *doc = NULL;
    const struct hd_yaml *rule = NULL;
    if (hd_yaml_is_null(root)) { /* nothing between two lines of "---" */
        return 0;
    }
    int err = l->n_docs == DOCS_MAX ? rul_refuse(r, root, "too many rules")
                                    : rul_collection_next(r, c, root, &rule);
    if (err == 0 && rule == NULL) {
        return 0;
    }
    err = err != 0 ? err : rul_doc_read(r, rule, &doc);
    if (l->load.failed || l->set->keep.failed) {
        return HD_ENOMEM;
    }
    if (err == HD_EPARSE) {
        l->refused++;
        return 0;
    }
    if (err == 0) {
        struct rul_doc ***tail = doc->filter != NULL ? &l->filters_tail : &l->tail;
        **tail = doc;
        *tail = &doc->next;
        l->n_docs++;
    }
    return err;
}

static int read_file(struct loader *l, const char *path)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    int err = hd_fs_read(path, HD_YAML_BYTES_MAX, &text);
    if (err != 0) {
        hd_diag_error(l->diags, path, 0, 0, "cannot be read: %s", hd_err_text(err));
        hd_buf_fini(&text);
        l->refused++;
        return err == HD_ENOMEM ? err : 0;
    }
    struct rul_reader r = {
        .load = &l->load,
        .keep = &l->set->keep,
        .file = hd_arena_str(&l->set->keep, hd_slice_str(path)),
        .diags = l->diags,
        .placeholders = &l->placeholders,
    };
    const struct hd_yaml_source src = {
        .file = r.file, .diags = l->diags, .has_aliases = true};
    const struct hd_yaml *docs = NULL;
    struct rul_collection collection = {0};
    err = add_hash(l, hd_buf_slice(&text));
    if (err == 0) {
        err = hd_yaml_parse(&src, hd_buf_slice(&text), &l->load, &docs);
    }
    for (; err == 0 && docs != NULL; docs = docs->next) {
        err = add_document(l, &r, &collection, docs);
    }
    hd_buf_fini(&text);
    if (err == HD_EPARSE) {
        l->refused++;
        return 0;
    }
    return err;
}

static int read_path(struct loader *l, const char *path, bool named);

struct dir_walk {
    struct loader *l;
    const char *dir;
};

static int read_entry(void *ctx, const char *name)
{
    struct dir_walk *walk = ctx;
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", walk->dir, name);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        hd_diag_error(walk->l->diags, walk->dir, 0, 0, "path is too long");
        walk->l->refused++;
        return 0;
    }
    return read_path(walk->l, path, false);
}

/* named: by the user; what is found in directories must be called *.yml. */
static int read_path(struct loader *l, const char *path, bool named)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        hd_diag_error(l->diags, path, 0, 0, "cannot be found");
        l->refused++;
        return 0;
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        hd_diag_error(l->diags, path, 0, 0,
                      "is neither a file nor a directory: write the rules into a file");
        l->refused++;
        return 0;
    }
    if (!S_ISDIR(st.st_mode)) {
        return named || is_rule_file(hd_slice_str(path)) ? read_file(l, path) : 0;
    }
    if (l->depth == DIR_DEPTH_MAX) {
        hd_diag_error(l->diags, path, 0, 0, "directories are nested too deeply");
        l->refused++;
        return 0;
    }
    l->depth++;
    struct dir_walk walk = {l, path};
    int err = hd_fs_each(path, read_entry, &walk);
    l->depth--;
    return err;
}

/* ---- placeholders ---- */

static int load_placeholders(struct loader *l)
{
    int err = rul_placeholders_read(&l->placeholders, l->opts->placeholders_dir, &l->load,
                                    l->diags);
    struct hd_buf all;
    hd_buf_init(&all, 0);
    for (size_t i = 0; i < l->placeholders.n; i++) {
        const struct rul_placeholder *p = &l->placeholders.at[i];
        hd_buf_slice_add(&all, p->name);
        for (size_t k = 0; k < p->n; k++) {
            hd_buf_byte(&all, '\n');
            hd_buf_slice_add(&all, p->values[k]);
        }
        hd_buf_byte(&all, 0);
    }
    l->refused += err == HD_EPARSE;
    err = err == HD_EPARSE ? 0 : err;
    if (err == 0) {
        err = all.err != 0 ? all.err : add_hash(l, hd_buf_slice(&all));
    }
    hd_buf_fini(&all);
    return err;
}

/* ---- decoders and classes ---- */

static int hash_decoder(void *ctx, const char *name)
{
    struct dir_walk *walk = ctx;
    char path[4096];
    struct hd_buf text;
    if (!is_rule_file(hd_slice_str(name)) ||
        snprintf(path, sizeof(path), "%s/%s", walk->dir, name) >= (int)sizeof(path)) {
        return 0;
    }
    hd_buf_init(&text, 0);
    int err = hd_fs_read(path, HD_YAML_BYTES_MAX, &text);
    if (err == 0) {
        err = add_hash(walk->l, hd_buf_slice(&text));
    }
    hd_buf_fini(&text);
    return err;
}

static int load_decoders(struct loader *l)
{
    struct rul_set *set = l->set;
    const struct rul_decoders_opts opts = {.dir = l->opts->decoders_dir,
                                           .time_zone = l->opts->time_zone,
                                           .skew_max_ns = l->opts->skew_max_ns};
    struct dir_walk walk = {l, opts.dir};
    bool is_declared = l->opts->n_declared > 0;
    int err = is_declared
                  ? rul_declare_decoders(l->opts, set->fields, &set->decoders, l->diags)
                  : rul_decoders_load(&opts, set->fields, &set->decoders, l->diags);
    if (err == 0 && !is_declared) {
        err = hd_fs_each(opts.dir, hash_decoder, &walk);
    }
    if (err == 0) {
        set->classes = rul_decoders_classes(set->decoders, &set->n_classes);
    }
    return err;
}

/* One class for each log source that rules name; class 0 stays without any. */
static int make_classes(struct loader *l)
{
    struct rul_set *set = l->set;
    struct rul_class *classes =
        hd_arena_alloc(&set->keep, (size_t)l->n_docs + 1, sizeof(*classes));
    if (classes == NULL) {
        return HD_ENOMEM;
    }
    set->classes = classes;
    set->n_classes = 1;
    for (const struct rul_doc *d = l->first; d != NULL; d = d->next) {
        if (d->expr == NULL || rul_set_class_of(set, &d->logsource) != 0 ||
            set->n_classes == UINT16_MAX) {
            continue;
        }
        struct rul_class *class = &classes[set->n_classes];
        class->id = set->n_classes++;
        class->n = 1;
        class->sources[0] =
            (struct rul_logsource){hd_arena_copy(&set->keep, d->logsource.product),
                                   hd_arena_copy(&set->keep, d->logsource.category),
                                   hd_arena_copy(&set->keep, d->logsource.service)};
    }
    return set->keep.failed ? HD_ENOMEM : 0;
}

/* Other names that the site gives to log sources; the decoders' classes stay theirs. */
static int alias_classes(struct loader *l)
{
    struct rul_set *set = l->set;
    struct rul_class *classes =
        hd_arena_alloc(&set->keep, set->n_classes, sizeof(*classes));
    struct hd_buf text;
    if (classes == NULL) {
        return HD_ENOMEM;
    }
    memcpy(classes, set->classes, set->n_classes * sizeof(*classes));
    set->classes = classes;
    int err = rul_aliases_apply(l->opts->logsources, classes, set->n_classes, &set->keep,
                                l->diags);
    l->refused += err == HD_EPARSE;
    if (err != 0) {
        return err == HD_EPARSE ? 0 : err;
    }
    hd_buf_init(&text, 0);
    err = hd_fs_read(l->opts->logsources, HD_YAML_BYTES_MAX, &text);
    err = err != 0 ? err : add_hash(l, hd_buf_slice(&text));
    hd_buf_fini(&text);
    return err;
}

/* ---- documents -> rules ---- */

/* HD_EPARSE: some other rule has the id or name. */
static int check_name(struct loader *l, const struct rul_doc *doc, const char *name)
{
    uint32_t owner = rul_names_find(l->set->names, hd_slice_str(name));
    if (name[0] == 0 || owner == UINT32_MAX) {
        return 0;
    }
    hd_diag_error(l->diags, doc->rule.file, doc->rule.line, doc->column,
                  "the id or name '%s' is taken by %s:%u", name,
                  l->set->rules[owner].file, l->set->rules[owner].line);
    return HD_EPARSE;
}

/* HD_EPARSE: the expressions of all rules before and of this one take too long. */
static int check_work(struct loader *l, const struct rul_doc *doc)
{
    if (doc->regex_work <= RUL_REGEX_SET_WORK_MAX - l->regex_work) {
        l->regex_work += doc->regex_work;
        return 0;
    }
    hd_diag_error(l->diags, doc->rule.file, doc->rule.line, doc->column,
                  "the regular expressions of the rules before take %llu units to "
                  "compile, those of this one %llu more; %u are allowed in a set",
                  (unsigned long long)l->regex_work, (unsigned long long)doc->regex_work,
                  RUL_REGEX_SET_WORK_MAX);
    return HD_EPARSE;
}

static int add_rule(struct loader *l, struct rul_doc *doc)
{
    struct rul_set *set = l->set;
    const char *names[] = {doc->rule.id, doc->rule.name};
    uint32_t index = set->n_rules;
    for (size_t i = 0; i < 2; i++) {
        int err = check_name(l, doc, names[i]);
        if (err != 0) {
            return err;
        }
    }
    if (check_work(l, doc) != 0) {
        return HD_EPARSE;
    }
    for (size_t i = 0; i < 2; i++) {
        uint32_t owner = index; /* id and name may be the same word */
        int err = names[i][0] == 0
                      ? 0
                      : rul_names_add(set->names, hd_slice_str(names[i]), &owner);
        if (err != 0 && err != HD_EEXIST) {
            return err;
        }
    }
    doc->rule.index = index;
    doc->rule.logsource =
        (struct rul_logsource){hd_arena_copy(&set->keep, doc->logsource.product),
                               hd_arena_copy(&set->keep, doc->logsource.category),
                               hd_arena_copy(&set->keep, doc->logsource.service)};
    if (set->keep.failed) {
        return HD_ENOMEM;
    }
    set->rules[index] = doc->rule;
    set->examples[index] = doc->examples;
    set->n_rules++;
    return 0;
}

static int add_correlation(struct loader *l, struct rul_doc *doc)
{
    struct rul_set *set = l->set;
    int err =
        rul_corr_resolve(set, doc, set->n_rules, &set->corrs[set->n_corrs], l->diags);
    if (err == 0) {
        err = add_rule(l, doc);
    }
    set->n_corrs += err == 0;
    return err;
}

/* One document into the set; docs[] gets it when it was taken. */
static int take_rule(struct loader *l, struct rul_doc *doc, struct rul_doc **docs)
{
    uint32_t index = l->set->n_rules;
    int err = doc->corr != NULL ? add_correlation(l, doc) : add_rule(l, doc);
    if (err == HD_EPARSE) {
        l->refused++;
        return 0;
    }
    docs[index] = err == 0 ? doc : NULL;
    return err;
}

/* Takes those of the waiting that count only what is in the set; *n gets how many still
 * wait. */
static int take_ready(struct loader *l, struct rul_doc **waiting, size_t *n,
                      struct rul_doc **docs)
{
    size_t left = 0;
    int err = 0;
    for (size_t i = 0; i < *n && err == 0; i++) {
        if (rul_corr_missing(l->set, waiting[i]) != NULL) {
            waiting[left++] = waiting[i];
        } else {
            err = take_rule(l, waiting[i], docs);
        }
    }
    *n = left;
    return err;
}

/* Correlations after what they count; what never gets ready is refused. */
static int take_correlations(struct loader *l, struct rul_doc **docs)
{
    struct rul_doc **waiting =
        hd_arena_alloc(&l->load, (size_t)l->n_docs + 1, sizeof(struct rul_doc *));
    if (waiting == NULL) {
        return HD_ENOMEM;
    }
    size_t n = 0, before = 0;
    int err = 0;
    for (struct rul_doc *d = l->first; d != NULL; d = d->next) {
        if (d->corr != NULL) {
            waiting[n++] = d;
        }
    }
    do {
        before = n;
        err = take_ready(l, waiting, &n, docs);
    } while (err == 0 && n < before);
    rul_corr_explain(l->set, waiting, n, l->diags);
    l->refused += (unsigned)n;
    return err;
}

static int take_rules(struct loader *l, struct rul_doc **docs)
{
    int err = 0;
    for (struct rul_doc *d = l->first; d != NULL && err == 0; d = d->next) {
        err = d->corr == NULL ? take_rule(l, d, docs) : 0;
    }
    return err != 0 ? err : take_correlations(l, docs);
}

/* A rule that only feeds correlations without `generate`, or that is there only for them,
 * raises no alert of its own. */
static void settle_alerts(struct rul_set *set, struct rul_doc *const *docs)
{
    for (uint32_t i = 0; i < set->n_rules; i++) {
        set->rules[i].alerts = !set->rules[i].feeds;
    }
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        const struct rul_corr *corr = &set->corrs[i];
        for (uint32_t k = 0; k < corr->n_refs; k++) {
            set->rules[corr->refs[k].rule].alerts |= docs[corr->rule]->corr->generate;
        }
    }
    for (uint32_t i = 0; i < set->n_rules; i++) {
        set->rules[i].alerts &= !docs[i]->is_only_needed;
    }
}

static int compile_rules(struct loader *l)
{
    struct rul_set *set = l->set;
    size_t n = (size_t)l->n_docs + 1;
    struct rul_doc **docs = hd_arena_alloc(&l->load, n, sizeof(struct rul_doc *));
    set->rules = hd_arena_alloc(&set->keep, n, sizeof(*set->rules));
    set->examples = hd_arena_alloc(&set->keep, n, sizeof(struct rul_example *));
    set->corrs = hd_arena_alloc(&set->keep, n, sizeof(*set->corrs));
    if (docs == NULL || set->rules == NULL || set->examples == NULL ||
        set->corrs == NULL) {
        return HD_ENOMEM;
    }
    int err = take_rules(l, docs);
    if (err != 0) {
        return err;
    }
    err = rul_filters_join(set, l->filters, docs, &l->load, l->diags);
    if (err != 0) {
        return err;
    }
    settle_alerts(set, docs);
    const struct rul_compile_opts opts = {.fields = set->fields,
                                          .classes = set->classes,
                                          .n_classes = set->n_classes,
                                          .no_self_test = l->opts->no_self_test,
                                          .no_databases = l->opts->only_read};
    return rul_program_build(&set->program, &opts, docs, set->n_rules, l->diags);
}

/* ---- the whole ---- */

static int load_all(struct loader *l)
{
    int err = rul_fields_new(&l->set->fields);
    if (err == 0) {
        err = rul_names_new(&l->set->names);
    }
    bool has_decoders = l->opts->decoders_dir != NULL || l->opts->n_declared > 0;
    if (err == 0 && has_decoders) {
        err = load_decoders(l);
    }
    if (err == 0 && l->opts->placeholders_dir != NULL) {
        err = load_placeholders(l);
    }
    for (size_t i = 0; i < l->opts->n_rules && err == 0; i++) {
        err = read_path(l, l->opts->rules[i], true);
    }
    if (err == 0) {
        err = rul_select(&l->first, l->opts, &l->set->n_left_out, l->diags);
    }
    if (err == 0 && !has_decoders) {
        err = make_classes(l);
    }
    if (err == 0 && l->opts->logsources != NULL) {
        err = alias_classes(l);
    }
    if (err == 0) {
        err = compile_rules(l);
    }
    if (err == 0 && l->refused > 0 && !l->opts->keep_going) {
        err = HD_EPARSE;
    }
    uint8_t sum[HD_SHA256_LEN];
    if (err == 0) {
        err = hd_sha256(hd_buf_slice(&l->hashes), sum);
    }
    for (size_t i = 0; i < sizeof(sum) && err == 0; i++) {
        (void)snprintf(l->set->hash + 2 * i, 3, "%02x", sum[i]);
    }
    return err;
}

int rul_set_load(const struct rul_set_opts *opts, struct rul_set **out,
                 struct hd_diags *diags)
{
    struct loader l = {.opts = opts, .diags = diags, .set = calloc(1, sizeof(*l.set))};
    if (l.set == NULL) {
        return HD_ENOMEM;
    }
    atomic_init(&l.set->refs, 1);
    l.tail = &l.first;
    l.filters_tail = &l.filters;
    hd_arena_init(&l.load, 0);
    hd_arena_init(&l.set->keep, 0);
    hd_buf_init(&l.hashes, 0);
    int err = load_all(&l);
    hd_arena_fini(&l.load);
    hd_buf_fini(&l.hashes);
#ifdef __GLIBC__
    (void)malloc_trim(0); /* trees and compiler took several times what the set keeps */
#endif
    if (err != 0) {
        rul_set_unref(l.set);
        return err;
    }
    *out = l.set;
    return 0;
}
