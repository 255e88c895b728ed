/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: the lines of one batch that are sought, and the lines around them. Of a batch
 * that has none no line is looked at by itself.
 */
#include <haidang/array.h>

#include <stdlib.h>

#include "console/search.h"

struct hit { /* a record that was found */
    size_t at, len;
    bool is_shown;
};

struct worker {
    const struct con_search_opts *opts;
    struct hd_batch_reader *batch;
    struct con_pattern_scratch *pattern;
    struct con_where_scratch where;
    struct hd_buf line; /* unescaped */

    /* of the entry at hand */
    const struct con_entry *entry;
    struct con_search_result *out;
    struct hd_batch_info info;
    const struct hd_batch_source *sources;
    uint16_t n_sources;
    bool has_source[HD_BATCH_SOURCES_MAX]; /* is to be looked at */
    struct hd_slice records;
    struct hit *hits;
    size_t n_hits;

    size_t *context; /* records before a hit, the nearest first */
    size_t n_context;
    size_t shown_to[HD_BATCH_SOURCES_MAX]; /* lines of the source before this are done */
    int last_source;                       /* of the line written last; -1 = none */
    size_t counted_at;                     /* `counted` records lie before it */
    uint64_t counted;
};

/* ---- finding ---- */

static bool pattern_matches(struct worker *w, struct hd_slice line)
{
    struct rul_regex_span span = {0};
    int found = con_pattern_find(w->opts->pattern, w->pattern, line, &span);
    w->out->hard += found < 0;
    return found >= 0 && (found == 1) != w->opts->is_inverted;
}

static bool is_sought(struct worker *w, const struct hd_batch_record *record)
{
    const struct rul_record whole = {.source = &w->sources[record->source],
                                     .recv_ns = record->recv_ns,
                                     .line = record->line};
    return record->recv_ns >= w->opts->since_ns && record->recv_ns < w->opts->until_ns &&
           w->has_source[record->source] && pattern_matches(w, record->line) &&
           con_where_has_fields(&w->opts->where, &w->where, &whole);
}

static int add_hit(struct worker *w, size_t at, size_t len)
{
    struct hit *more = hd_array_grow(w->hits, w->n_hits, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    w->hits = more;
    w->hits[w->n_hits++] = (struct hit){.at = at, .len = len};
    return HD_OK;
}

/* The record at `at`; *next is behind it. HD_ECLOSED: there is nothing more to look at.
 */
static int examine(struct worker *w, size_t at, size_t *next)
{
    struct hd_batch_record record;
    size_t len = 0;
    int err = hd_batch_reader_at(w->batch, at, &w->line, &record, &len);
    if (err == HD_ECORRUPT) {
        w->out->lost++;
        return HD_ECLOSED;
    }
    *next = at + len;
    if (err != HD_OK || !is_sought(w, &record)) {
        return err;
    }
    err = add_hit(w, at, len);
    return err == HD_OK && w->opts->max > 0 && w->n_hits == w->opts->max ? HD_ECLOSED
                                                                         : err;
}

static size_t record_begin(const struct worker *w, size_t at)
{
    const uint8_t *before = memrchr(w->records.ptr, '\n', at);
    return before == NULL ? 0 : (size_t)(before - w->records.ptr) + 1;
}

static int find_all(struct worker *w)
{
    size_t at = 0;
    int err = HD_OK;
    while (err == HD_OK && at < w->records.len) {
        err = examine(w, at, &at);
    }
    return err;
}

static int find(struct worker *w)
{
    const size_t *at = NULL;
    size_t n = 0, next = 0;
    int err = w->opts->is_inverted
                  ? HD_EUNSUPPORTED
                  : con_pattern_seek(w->opts->pattern, w->pattern, w->records, &at, &n);
    if (err == HD_EUNSUPPORTED) {
        err = find_all(w);
        n = 0;
    }
    for (size_t i = 0; err == HD_OK && i < n; i++) {
        if (at[i] >= next) {
            err = examine(w, record_begin(w, at[i]), &next);
        }
    }
    return err == HD_ECLOSED ? HD_OK : err;
}

/* ---- writing down ---- */

static uint64_t count_lines(struct hd_slice text)
{
    uint64_t n = 0;
    size_t at;
    while ((at = hd_slice_find_byte(text, '\n')) != HD_NPOS) {
        text = hd_slice_from(text, at + 1);
        n++;
    }
    return n;
}

static uint64_t seq_of(struct worker *w, size_t at)
{
    size_t from = at < w->counted_at ? at : w->counted_at;
    size_t to = at < w->counted_at ? w->counted_at : at;
    uint64_t n = count_lines(hd_slice_head(hd_slice_from(w->records, from), to - from));
    w->counted = at < w->counted_at ? w->counted - n : w->counted + n;
    w->counted_at = at;
    return w->info.first + w->counted;
}

static int add_row(struct worker *w, enum con_search_kind kind)
{
    struct con_search_result *out = w->out;
    struct con_search_row *more = hd_array_grow(out->rows, out->n_rows, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    out->rows = more;
    out->rows[out->n_rows++] = (struct con_search_row){out->text.len, kind};
    return out->text.err;
}

static int read_record(struct worker *w, size_t at, struct hd_batch_record *record,
                       size_t *len)
{
    return hd_batch_reader_at(w->batch, at, &w->line, record, len);
}

static int write_record(struct worker *w, size_t at, bool is_context)
{
    struct hd_batch_record record;
    size_t len = 0;
    int err = read_record(w, at, &record, &len);
    if (err != HD_OK) {
        return err;
    }
    if (w->opts->is_json) {
        record.seq = seq_of(w, at);
    }
    const struct con_search_line line = {.entry = w->entry,
                                         .info = &w->info,
                                         .source = &w->sources[record.source],
                                         .record = &record,
                                         .is_context = is_context};
    con_search_show(w->opts, w->pattern, &line, &w->out->text);
    w->shown_to[record.source] = at + len;
    w->last_source = record.source;
    return add_row(w, is_context ? CON_SEARCH_CONTEXT : CON_SEARCH_LINE);
}

/* Notes the records of the source before a hit that are to be shown. *is_next: nothing of
 * the source lies between them and what was shown of it. */
static int look_back(struct worker *w, size_t at, uint16_t source, bool *is_next)
{
    size_t from = w->shown_to[source];
    *is_next = from > 0;
    w->n_context = 0;
    while (at > from) {
        struct hd_batch_record record;
        size_t len = 0;
        at = record_begin(w, at - 1);
        int err = read_record(w, at, &record, &len);
        if (err != HD_OK) {
            return err == HD_ECORRUPT ? HD_OK : err;
        }
        if (record.source != source || at < from) {
            continue;
        }
        if (w->n_context == w->opts->before) {
            *is_next = false;
            return HD_OK;
        }
        size_t *more = hd_array_grow(w->context, w->n_context, sizeof(*more));
        if (more == NULL) {
            return HD_ENOMEM;
        }
        w->context = more;
        w->context[w->n_context++] = at;
    }
    return HD_OK;
}

/* What follows hit `i` of the same source: hits, and the lines around them. */
static int write_after(struct worker *w, size_t i, uint16_t source)
{
    uint32_t left = w->opts->after;
    size_t at = w->hits[i].at + w->hits[i].len;
    int err = HD_OK;
    for (i++; err == HD_OK && left > 0 && at < w->records.len;) {
        struct hd_batch_record record;
        size_t len = 0;
        err = read_record(w, at, &record, &len);
        if (err != HD_OK) {
            break;
        }
        while (i < w->n_hits && w->hits[i].at < at) {
            i++;
        }
        bool is_hit = i < w->n_hits && w->hits[i].at == at;
        if (record.source == source) {
            err = write_record(w, at, !is_hit);
            left = is_hit ? w->opts->after : left - 1;
        }
        if (is_hit && record.source == source) {
            w->hits[i].is_shown = true;
        }
        at += len;
    }
    return err == HD_ECORRUPT ? HD_OK : err;
}

static int write_group(struct worker *w, size_t i)
{
    struct hd_batch_record record;
    size_t len = 0;
    bool is_next = false;
    int err = read_record(w, w->hits[i].at, &record, &len);
    uint16_t source = record.source;
    err = err == HD_OK ? look_back(w, w->hits[i].at, source, &is_next) : err;
    if (err == HD_OK && !(is_next && w->last_source == source)) {
        err = add_row(w, CON_SEARCH_GROUP);
    }
    for (size_t k = w->n_context; err == HD_OK && k > 0; k--) {
        err = write_record(w, w->context[k - 1], true);
    }
    err = err == HD_OK ? write_record(w, w->hits[i].at, false) : err;
    return err == HD_OK ? write_after(w, i, source) : err;
}

static int write_down(struct worker *w)
{
    bool has_context = w->opts->before > 0 || w->opts->after > 0;
    int err = HD_OK;
    memset(w->shown_to, 0, sizeof(w->shown_to));
    w->last_source = -1;
    w->counted_at = 0;
    w->counted = 0;
    for (size_t i = 0; err == HD_OK && i < w->n_hits; i++) {
        if (!has_context) {
            err = write_record(w, w->hits[i].at, false);
        } else if (!w->hits[i].is_shown) {
            err = write_group(w, i);
        }
    }
    return err;
}

static void add_host(struct con_search_result *out, struct hd_slice name)
{
    out->hosts[out->n_hosts++] =
        (struct con_search_host){.at = out->names.len, .len = name.len};
    hd_buf_slice_add(&out->names, name);
}

/* Of each source, in their order; then senders, which are only there to be known. */
static int count_hosts(struct worker *w)
{
    struct con_search_result *out = w->out;
    for (uint16_t i = 0; i < w->n_sources; i++) {
        add_host(out, w->sources[i].host);
    }
    for (uint16_t i = 0; i < w->n_sources && w->opts->where.hosts.n > 0; i++) {
        add_host(out, w->sources[i].peer);
    }
    for (size_t i = 0; i < w->n_hits; i++) {
        struct hd_batch_record record;
        size_t len = 0;
        int err = read_record(w, w->hits[i].at, &record, &len);
        if (err != HD_OK) {
            return err;
        }
        out->hosts[record.source].found++;
    }
    return out->names.err;
}

/* ---- one entry ---- */

static bool wants_batch(struct worker *w)
{
    bool wants = false;
    struct hd_buf *room = &w->where.folded;
    w->n_sources = hd_batch_reader_sources(w->batch, &w->sources);
    for (uint16_t i = 0; i < w->n_sources; i++) {
        w->has_source[i] =
            con_where_has_source(&w->opts->where, &w->sources[i], room) &&
            con_systems_match(&w->opts->systems, w->info.agent, &w->sources[i]);
        wants |= w->has_source[i];
    }
    return con_words_match(&w->opts->where.agents, w->info.agent, room) && wants;
}

static int search(struct worker *w)
{
    const struct con_search_opts *opts = w->opts;
    int err = HD_OK;
    w->n_hits = 0;
    if (wants_batch(w)) {
        w->records = hd_batch_reader_text(w->batch);
        w->out->bytes = w->records.len;
        err = find(w);
        w->out->found = w->n_hits;
    }
    if (err == HD_OK && (opts->is_by_host || opts->where.hosts.n > 0)) {
        err = count_hosts(w);
    }
    return err == HD_OK && !opts->is_counting ? write_down(w) : err;
}

static void clear_result(struct con_search_result *out)
{
    hd_buf_clear(&out->text);
    hd_buf_clear(&out->names);
    out->n_rows = out->n_hosts = 0;
    out->found = out->bytes = out->lost = out->hard = 0;
    out->is_corrupt = false;
    out->err = HD_OK;
}

void con_search_work(void *worker, struct con_entry *entry)
{
    struct worker *w = worker;
    w->entry = entry;
    w->out = entry->result;
    clear_result(w->out);
    int err = hd_batch_reader_open(w->batch, hd_buf_slice(&entry->payload), &w->info);
    if (err == HD_ENOMEM) {
        w->out->err = err;
    } else if (err != HD_OK || w->info.first != entry->first) {
        w->out->is_corrupt = true;
    } else {
        w->out->err = search(w);
        w->out->fields_found = w->where.fields_found;
        w->out->has_decoded = w->where.has_decoded;
    }
}

/* ---- life ---- */

int con_search_worker_begin(void *ctx, void **worker)
{
    const struct con_search_opts *opts = ctx;
    struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return HD_ENOMEM;
    }
    *worker = w;
    w->opts = opts;
    hd_buf_init(&w->line, 0);
    int err = hd_batch_reader_new(&w->batch);
    err = err == HD_OK ? con_pattern_scratch_new(opts->pattern, &w->pattern) : err;
    return err == HD_OK ? con_where_scratch_init(&w->where, &opts->where) : err;
}

void con_search_worker_end(void *worker)
{
    struct worker *w = worker;
    hd_batch_reader_free(w->batch);
    con_pattern_scratch_free(w->pattern);
    con_where_scratch_fini(&w->where);
    hd_buf_fini(&w->line);
    free(w->hits);
    free(w->context);
    free(w);
}

void con_search_result_fini(void *result)
{
    struct con_search_result *out = result;
    hd_buf_fini(&out->text);
    hd_buf_fini(&out->names);
    free(out->rows);
}
