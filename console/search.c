/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang search: lines of the archive that match a pattern, as grep would find them. It
 * only reads; a signal ends it at once, since there is nothing to put in order.
 */
#include "console/search.h"

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/utf8.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/command.h"
#include "console/out.h"
#include "console/unlock.h"
#include "console/values.h"
#include "console/when.h"

#define DEFAULT_ARCHIVE "/var/lib/haidang/correlator/archive"

enum { EXIT_FOUND = 0, EXIT_NONE = 1, EXIT_ERROR = 2 }; /* as of grep */

struct search {
    struct con_search_opts opts;
    struct con_entries_totals totals;
    struct con_progress progress;
    struct con_names hosts; /* counted, or all that there were */
    struct con_names agents;
    struct hd_buf out, room;
    unsigned jobs;
    uint64_t found, bytes, lost, hard, corrupt;
    struct hd_journal_keys *keys;
    uint64_t fields_found;
    bool has_decoded;
    bool has_shown, is_full; /* lines; as many as were asked for */
    int err;
};

/* ---- the calling thread of the entries ---- */

/* The agent stands in the meta of the entry; what is no meta is looked at. */
static bool is_wanted(void *ctx, const struct hd_journal_entry *entry)
{
    struct search *s = ctx;
    struct hd_archive_meta meta;
    if (s->opts.where.agents.n == 0 ||
        hd_archive_meta_decode(entry->meta, &meta) != HD_PARSE_OK) {
        return true;
    }
    s->err = s->err != HD_OK ? s->err : con_names_add(&s->agents, meta.agent, 0);
    return con_words_match(&s->opts.where.agents, meta.agent, &s->room);
}

/* Lines up to --max-count, and the context of the last one. */
static void take_rows(struct search *s, const struct con_search_result *e)
{
    struct hd_slice text = hd_buf_slice(&e->text);
    size_t at = 0;
    for (size_t i = 0; i < e->n_rows && !s->is_full; i++) {
        const struct con_search_row *row = &e->rows[i];
        bool is_end = s->opts.max > 0 && s->found == s->opts.max;
        if (is_end && row->kind != CON_SEARCH_CONTEXT) {
            s->is_full = true;
            break;
        }
        if (row->kind == CON_SEARCH_GROUP && s->has_shown && !s->opts.is_json) {
            hd_buf_str(&s->out, s->opts.show.has_colour ? "\033[36m--\033[0m\n" : "--\n");
        }
        hd_buf_slice_add(&s->out, hd_slice_head(hd_slice_from(text, at), row->end - at));
        s->has_shown |= row->end > at;
        s->found += row->kind == CON_SEARCH_LINE;
        at = row->end;
    }
    s->is_full |= s->opts.max > 0 && s->found == s->opts.max;
}

static int take_hosts(struct search *s, const struct con_search_result *e)
{
    struct hd_slice names = hd_buf_slice(&e->names);
    int err = HD_OK;
    for (size_t i = 0; err == HD_OK && i < e->n_hosts; i++) {
        const struct con_search_host *host = &e->hosts[i];
        err = con_names_add(&s->hosts,
                            hd_slice_head(hd_slice_from(names, host->at), host->len),
                            host->found);
    }
    return err;
}

static void take_totals(struct search *s, const struct con_search_result *e)
{
    s->bytes += e->bytes;
    s->lost += e->lost;
    s->hard += e->hard;
    s->corrupt += e->is_corrupt;
    s->fields_found |= e->fields_found;
    s->has_decoded |= e->has_decoded;
}

static int take(void *ctx, const struct con_entry *entry)
{
    struct search *s = ctx;
    const struct con_search_result *e = entry->result;
    int err = s->err != HD_OK ? s->err : e->err;
    if (err != HD_OK) {
        return err;
    }
    take_totals(s, e);
    err = take_hosts(s, e);
    if (s->opts.is_counting) {
        s->found += e->found;
        s->is_full = s->opts.max > 0 && s->found >= s->opts.max;
        s->found = s->is_full ? s->opts.max : s->found;
    } else {
        take_rows(s, e);
    }
    if (err == HD_OK && s->out.len > 0) {
        con_progress_end(&s->progress);
        err = con_out_flush(&s->out);
    }
    return err == HD_OK && s->is_full ? HD_ECLOSED : err;
}

static void show_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct search *s = ctx;
    con_progress_show(&s->progress, done, all, s->bytes / 1000000, "MB");
}

static int begin_worker(void *ctx, void **worker)
{
    struct search *s = ctx;
    return con_search_worker_begin(&s->opts, worker);
}

/* ---- the outcome ---- */

static void count_json(struct hd_buf *out, const char *host, uint64_t n)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    if (host != NULL) {
        hd_json_cstr(&j, "host", host);
    }
    hd_json_u64(&j, "count", n);
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
}

static void put_count(struct search *s, const char *host, uint64_t n)
{
    if (s->opts.is_json) {
        count_json(&s->out, host, n);
    } else if (host != NULL) {
        hd_buf_printf(&s->out, "%12" PRIu64 "  %s\n", n, host);
    } else {
        hd_buf_printf(&s->out, "%" PRIu64 "\n", n);
    }
}

static int put_counts(struct search *s)
{
    if (!s->opts.is_by_host) {
        put_count(s, NULL, s->found);
        return con_out_flush(&s->out);
    }
    con_names_sort(&s->hosts);
    for (size_t i = 0; i < s->hosts.n && s->hosts.list[i].count > 0; i++) {
        put_count(s, s->hosts.list[i].text, s->hosts.list[i].count);
    }
    if (s->hosts.others > 0) {
        put_count(s, con_show_say(&s->opts.show, "(others)", "(máy khác)"),
                  s->hosts.others);
    }
    return con_out_flush(&s->out);
}

static void warn(const struct search *s, uint64_t n, const char *en, const char *vi)
{
    if (n > 0) {
        (void)con_fail(0, "%" PRIu64 " %s", n, con_show_say(&s->opts.show, en, vi));
    }
}

static void tell_damage(const struct search *s)
{
    warn(s, s->totals.corrupt + s->corrupt,
         "places of the archive do not verify and were passed over",
         "chỗ trong kho lưu bị hỏng, đã bỏ qua");
    if (s->totals.locked > 0) {
        char why[CON_UNLOCK_WHY];
        (void)con_fail(0, "%" PRIu64 " %s: %s", s->totals.locked,
                       con_show_say(&s->opts.show, "entries of the archive were not read",
                                    "mục trong kho lưu không đọc được"),
                       con_unlock_text(HD_ENOKEY, &s->totals.missing, why));
    }
    warn(s, s->lost, "lines could not be read", "dòng không đọc được");
    warn(s, s->totals.removed,
         "times entries were missing: removed by retention meanwhile, or lost",
         "lần thiếu dữ liệu: đã bị xóa theo hạn lưu, hoặc bị mất");
    warn(s, s->hard, "lines were given up: the pattern takes too long on them",
         "dòng bị bỏ qua vì mẫu tìm kiếm tốn quá nhiều thời gian");
}

/* Words for which there was nothing of that name. */
static void tell_unknown(const struct search *s, const char *kind,
                         const struct con_words *words, const struct con_names *names)
{
    for (size_t i = 0; i < words->n; i++) {
        const struct con_words one = {.list = {words->list[i]}, .n = 1};
        bool is_known = false;
        struct hd_buf room;
        hd_buf_init(&room, 0);
        for (size_t k = 0; k < names->n && !is_known; k++) {
            is_known = con_words_match(&one, hd_slice_str(names->list[k].text), &room);
        }
        hd_buf_fini(&room);
        char *hint =
            is_known ? NULL : con_names_hint(names, hd_slice_str(words->list[i]));
        if (hint != NULL) {
            (void)con_fail(0, "%s %s '%s'%s",
                           con_show_say(&s->opts.show, "nothing was received from",
                                        "không có dữ liệu nhận từ"),
                           kind, words->list[i], hint);
        }
        free(hint);
    }
}

/* Why nothing was found, where something about the question looks wrong. */
static void tell_why(const struct search *s)
{
    if (s->totals.segments == 0) {
        (void)con_fail(0, "%s: %s", s->opts.archive,
                       con_show_say(&s->opts.show, "nothing was archived yet",
                                    "kho lưu chưa có dữ liệu"));
        return;
    }
    tell_unknown(s, con_show_say(&s->opts.show, "a host", "máy chủ"),
                 &s->opts.where.hosts, &s->hosts);
    tell_unknown(s, con_show_say(&s->opts.show, "an agent", "tác tử"),
                 &s->opts.where.agents, &s->agents);
    if (s->has_decoded) {
        con_where_tell_missing(&s->opts.where, s->fields_found);
    }
}

static int conclude(struct search *s)
{
    if (s->opts.is_counting && put_counts(s) != HD_OK) {
        return con_fail(EXIT_ERROR, "the output cannot be written");
    }
    if (s->found == 0) {
        tell_why(s);
    }
    tell_damage(s);
    if (s->totals.corrupt + s->totals.locked + s->corrupt + s->lost + s->hard > 0) {
        return EXIT_ERROR;
    }
    return s->found > 0 ? EXIT_FOUND : EXIT_NONE;
}

/* ---- the command ---- */

static int run(struct search *s)
{
    const struct con_entries_opts how = {
        .archive = s->opts.archive,
        .keys = s->keys,
        .since_ns = s->opts.since_ns,
        .until_ns = s->opts.until_ns,
        .jobs = s->jobs,
        .result_size = sizeof(struct con_search_result),
        .result_fini = con_search_result_fini,
        .is_wanted = s->opts.where.agents.n > 0 ? is_wanted : NULL,
        .worker_begin = begin_worker,
        .worker_end = con_search_worker_end,
        .work = con_search_work,
        .take = take,
        .progress = show_progress,
        .ctx = s,
    };
    con_progress_begin(&s->progress);
    int err = con_entries_run(&how, &s->totals);
    con_progress_end(&s->progress);
    return err != HD_OK ? err : s->err;
}

static int parse_range(struct search *s, const struct con_args *args)
{
    const char *since = con_args_value(args, "since");
    const char *until = con_args_value(args, "until");
    s->opts.since_ns = INT64_MIN;
    s->opts.until_ns = INT64_MAX;
    int err = since != NULL ? con_when("since", since, &s->opts.since_ns) : HD_OK;
    if (err == HD_OK && until != NULL) {
        err = con_when("until", until, &s->opts.until_ns);
    }
    if (err == HD_OK && s->opts.since_ns >= s->opts.until_ns) {
        err = con_fail(HD_EINVAL, "--since is not before --until");
    }
    return err;
}

static int parse_numbers(struct search *s, const struct con_args *args)
{
    unsigned around = 0, max = 0, before = 0, after = 0, jobs = 0;
    int err = con_value_number(args, "context", CON_SEARCH_CONTEXT_MAX, &around);
    before = after = around;
    err = err == HD_OK ? con_value_number(args, "before", CON_SEARCH_CONTEXT_MAX, &before)
                       : err;
    err = err == HD_OK ? con_value_number(args, "after", CON_SEARCH_CONTEXT_MAX, &after)
                       : err;
    err = err == HD_OK ? con_value_number(args, "max-count", UINT32_MAX, &max) : err;
    err =
        err == HD_OK ? con_value_number(args, "jobs", CON_ENTRIES_JOBS_MAX, &jobs) : err;
    s->opts.before = before;
    s->opts.after = after;
    s->opts.max = max;
    s->jobs = jobs > 0 ? jobs : con_entries_jobs();
    return err;
}

static int parse_flags(struct search *s, const struct con_args *args)
{
    const char *by = con_args_value(args, "by");
    if (by != NULL && strcmp(by, "host") != 0) {
        return con_fail(HD_EINVAL, "--by is host, not '%s'", by);
    }
    s->opts.is_by_host = by != NULL;
    s->opts.is_counting = by != NULL || con_args_flag(args, "count");
    s->opts.is_inverted = con_args_flag(args, "invert-match");
    s->opts.is_json = con_args_flag(args, "json");
    s->opts.is_raw = isatty(STDOUT_FILENO) != 1;
    return HD_OK;
}

static int parse_pattern(struct search *s, const struct con_args *args)
{
    struct con_pattern_problem problem;
    const struct con_pattern_opts opts = {
        .text = hd_slice_str(args->operands[0]),
        .is_literal = con_args_flag(args, "fixed-strings"),
        .is_caseless = con_args_flag(args, "ignore-case"),
    };
    if (!hd_utf8_is_valid(opts.text)) {
        return con_fail(HD_EINVAL, "the pattern is not UTF-8");
    }
    int err = con_pattern_new(&opts, &s->opts.pattern, &problem);
    if (err == HD_EPARSE) {
        return con_fail(err,
                        "the pattern is wrong at byte %zu: %s\n  %s\n  %*s^ (-F: the "
                        "text as it is)",
                        problem.offset + 1, problem.why, args->operands[0],
                        (int)hd_utf8_width(hd_slice_head(opts.text, problem.offset)), "");
    }
    return err == HD_OK ? HD_OK : con_fail(err, "the pattern: %s", hd_err_text(err));
}

static int parse(struct search *s, const struct con_args *args)
{
    int err = con_show_init(&s->opts.show, args);
    err = err == HD_OK ? parse_flags(s, args) : err;
    err = err == HD_OK ? parse_range(s, args) : err;
    err = err == HD_OK ? parse_numbers(s, args) : err;
    err = err == HD_OK ? parse_pattern(s, args) : err;
    s->opts.archive = args->n_operands > 1 ? args->operands[1] : DEFAULT_ARCHIVE;
    err = err == HD_OK ? con_where_init(&s->opts.where, args) : err;
    return err == HD_OK ? con_systems_init(&s->opts.systems, args) : err;
}

static int search(struct search *s, const struct con_args *args)
{
    if (parse(s, args) != HD_OK) {
        return EXIT_ERROR;
    }
    if (access(s->opts.archive, R_OK | X_OK) != 0) {
        return con_fail(EXIT_ERROR,
                        "cannot read the archive %s; name it behind the pattern, and be "
                        "in the group haidang",
                        s->opts.archive);
    }
    if (con_unlock(args, &s->keys) != HD_EXIT_OK) {
        return EXIT_ERROR;
    }
    int err = run(s);
    if (err != HD_OK) {
        return con_fail(EXIT_ERROR, "%s: %s", s->opts.archive, hd_err_text(err));
    }
    if (s->totals.segments == 0 && !con_entries_is_journal(s->opts.archive)) {
        return con_fail(EXIT_ERROR, "%s is no archive: there are no segments in it",
                        s->opts.archive);
    }
    return conclude(s);
}

int con_run_search(const struct con_args *args)
{
    struct search *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return con_fail(EXIT_ERROR, "%s", hd_err_text(HD_ENOMEM));
    }
    hd_buf_init(&s->out, 0);
    hd_buf_init(&s->room, 0);
    int code = search(s, args);
    con_names_fini(&s->hosts);
    con_names_fini(&s->agents);
    con_where_fini(&s->opts.where);
    con_systems_fini(&s->opts.systems);
    con_pattern_free(s->opts.pattern);
    hd_journal_keys_free(s->keys);
    con_show_fini(&s->opts.show);
    hd_buf_fini(&s->out);
    hd_buf_fini(&s->room);
    free(s);
    return code;
}
