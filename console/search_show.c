/* SPDX-License-Identifier: Apache-2.0
 *
 * A line that was found, for people, for programs that read lines, and as JSON.
 */
#include <haidang/json.h>
#include <haidang/utf8.h>

#include <inttypes.h>
#include <stdio.h>

#include "console/search.h"

#define TIME_DIGITS 6
#define COLOUR_TIME "\033[32m"
#define COLOUR_HOST "\033[35m"
#define COLOUR_HIT  "\033[1;31m"
#define COLOUR_END  "\033[0m"

static void put_json(const struct con_search_line *l, struct hd_buf *out)
{
    char segment[32];
    struct hd_json j = hd_json(out);
    (void)snprintf(segment, sizeof(segment), "%020" PRIu64 ".zst", l->entry->segment);
    hd_json_object(&j, NULL);
    hd_json_time(&j, "time", l->record->recv_ns, TIME_DIGITS);
    hd_json_str(&j, "host", l->source->host);
    hd_json_str(&j, "agent", l->info->agent);
    hd_json_str(&j, "boot", l->info->boot);
    hd_json_u64(&j, "seq", l->record->seq);
    hd_json_str(&j, "source", l->source->name);
    hd_json_str(&j, "kind", l->source->kind);
    if (l->source->peer.len > 0) {
        hd_json_str(&j, "peer", l->source->peer);
    }
    hd_json_str(&j, "line", l->record->line);
    if (l->record->flags & HD_BATCH_TRUNCATED) {
        hd_json_bool(&j, "truncated", true);
    }
    if (l->is_context) {
        hd_json_bool(&j, "context", true);
    }
    hd_json_u64(&j, "entry", l->entry->index);
    hd_json_cstr(&j, "segment", segment);
    hd_json_u64(&j, "offset", l->entry->offset);
    hd_json_end(&j, '}');
}

/* For people what a terminal would act on is escaped; for programs only what would end
 * the line. Tabs stay. */
static void put_text(const struct con_search_opts *opts, struct hd_slice text,
                     struct hd_buf *out)
{
    uint8_t border = opts->is_raw ? '\n' : '\t';
    while (text.len > 0) {
        size_t at = hd_slice_find_byte(text, border);
        struct hd_slice part = hd_slice_head(text, at);
        if (opts->is_raw) {
            hd_buf_slice_add(out, part);
        } else {
            hd_utf8_escape(out, part);
        }
        if (at != HD_NPOS) {
            hd_buf_str(out, opts->is_raw ? "\\n" : "\t");
        }
        text = hd_slice_from(text, at == HD_NPOS ? text.len : at + 1);
    }
}

static void put_marked(const struct con_search_opts *opts,
                       struct con_pattern_scratch *scratch, struct hd_slice line,
                       struct hd_buf *out)
{
    struct rul_regex_span span = {0};
    size_t shown = 0;
    while (span.end < line.len &&
           con_pattern_find(opts->pattern, scratch, line, &span) == 1) {
        if (span.begin == span.end) { /* nothing to mark: on by one character */
            size_t n = hd_utf8_step(hd_slice_from(line, span.end));
            span.end += n > 0 ? n : 1;
            continue;
        }
        put_text(opts, hd_slice_head(hd_slice_from(line, shown), span.begin - shown),
                 out);
        hd_buf_str(out, COLOUR_HIT);
        put_text(opts,
                 hd_slice_head(hd_slice_from(line, span.begin), span.end - span.begin),
                 out);
        hd_buf_str(out, COLOUR_END);
        shown = span.end;
    }
    put_text(opts, hd_slice_from(line, shown), out);
}

static void put_line(const struct con_search_opts *opts,
                     struct con_pattern_scratch *scratch, const struct con_search_line *l,
                     struct hd_buf *out)
{
    bool has_colour = opts->show.has_colour;
    hd_buf_str(out, has_colour ? COLOUR_TIME : "");
    con_show_time(&opts->show, l->record->recv_ns, out);
    hd_buf_str(out, has_colour ? COLOUR_END " " COLOUR_HOST : " ");
    hd_utf8_escape(out, l->source->host);
    hd_buf_str(out, has_colour ? COLOUR_END : "");
    hd_buf_str(out, l->is_context ? "- " : ": ");
    if (has_colour && !l->is_context && !opts->is_inverted) {
        put_marked(opts, scratch, l->record->line, out);
    } else {
        put_text(opts, l->record->line, out);
    }
}

void con_search_show(const struct con_search_opts *opts,
                     struct con_pattern_scratch *scratch,
                     const struct con_search_line *line, struct hd_buf *out)
{
    if (opts->is_json) {
        put_json(line, out);
    } else {
        put_line(opts, scratch, line, out);
    }
    hd_buf_byte(out, '\n');
}
