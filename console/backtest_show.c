/* SPDX-License-Identifier: Apache-2.0
 *
 * The outcome of a backtest for people and for programs.
 */
#include <haidang/json.h>
#include <haidang/utf8.h>

#include <inttypes.h>
#include <string.h>

#include "console/backtest.h"

#define HOSTS_SHOWN 10U
#define HOURS_SHOWN 48U
#define LINE_SHOWN  300U
#define BAR_WIDTH   30U
#define TIME_DIGITS 6
#define NAME_WIDTH  24U
#define TIME_WIDTH  19U /* of con_show_time */
#define COUNT_WIDTH 12U

/* ---- JSON ---- */

static void json_counts(const struct con_tally_rule *r, struct hd_json *j)
{
    hd_json_array(j, "hosts");
    for (size_t i = 0; i < r->n_hosts; i++) {
        hd_json_object(j, NULL);
        hd_json_cstr(j, "host", r->hosts[i].name);
        hd_json_u64(j, "raised", r->hosts[i].raised);
        hd_json_u64(j, "suppressed", r->hosts[i].repeats);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
    hd_json_u64(j, "other_hosts", r->other_hosts);
    hd_json_array(j, "hours");
    for (size_t i = 0; i < r->n_hours; i++) {
        hd_json_object(j, NULL);
        hd_json_time(j, "hour", r->hours[i].start_ns, 0);
        hd_json_u64(j, "raised", r->hours[i].raised);
        hd_json_u64(j, "suppressed", r->hours[i].repeats);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
}

static void json_examples(const struct con_tally_rule *r, struct hd_json *j)
{
    hd_json_array(j, "examples");
    for (size_t i = 0; i < r->n_examples; i++) {
        const struct con_tally_example *e = &r->examples[i];
        hd_json_object(j, NULL);
        hd_json_time(j, "time", e->time_ns, TIME_DIGITS);
        hd_json_cstr(j, "position", e->position);
        if (e->group[0] != '\0') {
            hd_json_cstr(j, "group", e->group);
        }
        hd_json_cstr(j, "line", e->line);
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
}

static void json_rule(const struct rul_rule *rule, const struct con_tally_rule *r,
                      struct hd_json *j)
{
    hd_json_object(j, NULL);
    hd_json_cstr(j, "id", rule->id);
    hd_json_cstr(j, "title", rule->title);
    hd_json_cstr(j, "level", rule->level);
    hd_json_bool(j, "alerts", rule->alerts);
    hd_json_u64(j, "matched", r->matched);
    hd_json_u64(j, "raised", r->raised);
    hd_json_u64(j, "suppressed", r->repeats);
    if (r->raised > 0) {
        hd_json_time(j, "first", r->first_ns, TIME_DIGITS);
        hd_json_time(j, "last", r->last_ns, TIME_DIGITS);
    }
    json_counts(r, j);
    json_examples(r, j);
    hd_json_end(j, '}');
}

void con_backtest_json(const struct con_backtest *b, struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_time(&j, "since", b->scan.since_ns, TIME_DIGITS);
    hd_json_time(&j, "until", b->scan.until_ns, TIME_DIGITS);
    hd_json_u64(&j, "entries", b->totals.entries);
    hd_json_u64(&j, "lines", b->totals.lines);
    hd_json_u64(&j, "bytes", b->totals.bytes);
    hd_json_u64(&j, "decoded", b->totals.decoded);
    hd_json_u64(&j, "corrupt_entries", b->totals.corrupt);
    hd_json_u64(&j, "lost_lines", b->totals.lost);
    hd_json_u64(&j, "canary_lines", b->totals.tests);
    hd_json_u64(&j, "removed_meanwhile", b->totals.removed);
    hd_json_u64(&j, "correlation_late", b->correlated.late);
    hd_json_u64(&j, "correlation_no_group", b->correlated.no_group);
    hd_json_u64(&j, "correlation_evicted", b->correlated.evicted);
    hd_json_u64(&j, "suppress_s", (uint64_t)(b->suppress_ns / HD_NS_PER_SEC));
    hd_json_u64(&j, "jobs", b->scan.jobs);
    hd_json_u64(&j, "took_ms", (uint64_t)(b->took_ns / HD_NS_PER_MS));
    hd_json_array(&j, "rules");
    for (size_t i = 0; i < b->tally.n_rules; i++) {
        json_rule(rul_set_rule(b->set, i), &b->tally.rules[i], &j);
    }
    hd_json_end(&j, ']');
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
}

/* ---- text ---- */

/* Characters of a printable text: what it is wide, near enough to align it. */
static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((uint8_t)*text & 0xc0U) != 0x80;
    }
    return n;
}

static void pad(struct hd_buf *out, const char *text, size_t width)
{
    size_t n = characters(text);
    hd_buf_printf(out, "%*s", n < width ? (int)(width - n) : 0, "");
}

static void column(struct hd_buf *out, const char *text, size_t width)
{
    hd_buf_str(out, text);
    pad(out, text, width);
}

static void column_right(struct hd_buf *out, const char *text, size_t width)
{
    pad(out, text, width);
    hd_buf_str(out, text);
}

static void counts(struct hd_buf *out, uint64_t raised, uint64_t repeats)
{
    hd_buf_printf(out, "%*" PRIu64 "%*" PRIu64 "  ", (int)COUNT_WIDTH, raised,
                  (int)COUNT_WIDTH, repeats);
}

static void bar(struct hd_buf *out, uint64_t n, uint64_t most)
{
    uint64_t width = most == 0 ? 0 : (n * BAR_WIDTH + most - 1) / most;
    for (uint64_t i = 0; i < width; i++) {
        hd_buf_str(out, "█");
    }
    hd_buf_byte(out, '\n');
}

static void text_table(const struct con_show *show, const char *en, const char *vi,
                       struct hd_buf *out)
{
    hd_buf_str(out, "  ");
    column(out, con_show_say(show, en, vi), NAME_WIDTH + 2);
    column_right(out, con_show_say(show, "alerts", "cảnh báo"), COUNT_WIDTH);
    column_right(out, con_show_say(show, "repeats", "lặp lại"), COUNT_WIDTH);
    hd_buf_byte(out, '\n');
}

static void text_hosts(const struct con_show *show, const struct con_tally_rule *r,
                       struct hd_buf *out)
{
    uint64_t others = r->other_hosts;
    text_table(show, "by host", "theo máy chủ", out);
    for (size_t i = 0; i < r->n_hosts; i++) {
        const struct con_tally_host *host = &r->hosts[i];
        if (i >= HOSTS_SHOWN) {
            others += host->raised + host->repeats;
            continue;
        }
        hd_buf_str(out, "    ");
        column(out, host->name, NAME_WIDTH);
        counts(out, host->raised, host->repeats);
        bar(out, host->raised, r->hosts[0].raised);
    }
    if (others > 0) {
        hd_buf_str(out, "    ");
        column(out, con_show_say(show, "(others, both)", "(máy khác, cả hai)"),
               NAME_WIDTH);
        hd_buf_printf(out, "%*" PRIu64 "\n", (int)COUNT_WIDTH, others);
    }
}

static void text_hours(const struct con_show *show, const struct con_tally_rule *r,
                       struct hd_buf *out)
{
    size_t from = r->n_hours > HOURS_SHOWN ? r->n_hours - HOURS_SHOWN : 0;
    uint64_t most = 0;
    struct con_tally_hour before = {0};
    for (size_t i = 0; i < r->n_hours; i++) {
        most = r->hours[i].raised > most ? r->hours[i].raised : most;
        before.raised += i < from ? r->hours[i].raised : 0;
        before.repeats += i < from ? r->hours[i].repeats : 0;
    }
    text_table(show, "by hour", "theo giờ", out);
    if (from > 0) {
        hd_buf_str(out, "    ");
        column(out, con_show_say(show, "(before)", "(trước đó)"), NAME_WIDTH);
        counts(out, before.raised, before.repeats);
        hd_buf_byte(out, '\n');
    }
    for (size_t i = from; i < r->n_hours; i++) {
        hd_buf_str(out, "    ");
        con_show_time(show, r->hours[i].start_ns, out);
        hd_buf_printf(out, "%*s", (int)(NAME_WIDTH - TIME_WIDTH), "");
        counts(out, r->hours[i].raised, r->hours[i].repeats);
        bar(out, r->hours[i].raised, most);
    }
}

/* Bytes of the line that are shown: whole characters. */
static int shown_len(const char *line)
{
    size_t len = strlen(line);
    if (len > LINE_SHOWN) {
        len = LINE_SHOWN;
        while (len > 0 && ((uint8_t)line[len] & 0xc0U) == 0x80) {
            len--;
        }
    }
    return (int)len;
}

static void text_examples(const struct con_show *show, const struct con_tally_rule *r,
                          struct hd_buf *out)
{
    hd_buf_printf(out, "  %s\n", con_show_say(show, "examples", "ví dụ"));
    for (size_t i = 0; i < r->n_examples; i++) {
        const struct con_tally_example *e = &r->examples[i];
        int len = shown_len(e->line);
        hd_buf_str(out, "    ");
        con_show_time(show, e->time_ns, out);
        hd_buf_printf(out, "  %s  %s\n      %.*s%s\n", e->position, e->group, len,
                      e->line, e->line[len] != '\0' ? "..." : "");
    }
}

static const char *title_of(const struct con_show *show, const struct rul_rule *rule)
{
    return show->is_vietnamese && rule->title_vi[0] != '\0' ? rule->title_vi
                                                            : rule->title;
}

static void text_rule(const struct con_show *show, const struct rul_rule *rule,
                      const struct con_tally_rule *r, struct hd_buf *out)
{
    hd_buf_printf(out, "\n%s%s%s  (%s, %s)\n", show->has_colour ? "\033[1m" : "",
                  title_of(show, rule), show->has_colour ? "\033[0m" : "", rule->level,
                  rule->id);
    hd_buf_printf(out, "  %" PRIu64 " %s, %" PRIu64 " %s, ", r->raised,
                  con_show_say(show, "alerts", "cảnh báo"), r->repeats,
                  con_show_say(show, "repeats held back", "lần lặp lại bị giữ lại"));
    con_show_time(show, r->first_ns, out);
    hd_buf_str(out, " - ");
    con_show_time(show, r->last_ns, out);
    hd_buf_byte(out, '\n');
    text_hosts(show, r, out);
    text_hours(show, r, out);
    text_examples(show, r, out);
}

static void text_count(const struct con_show *show, uint64_t n, const char *en,
                       const char *vi, struct hd_buf *out)
{
    if (n > 0) {
        hd_buf_printf(out, "! %" PRIu64 " %s\n", n, con_show_say(show, en, vi));
    }
}

static void text_warnings(const struct con_backtest *b, const struct con_show *show,
                          struct hd_buf *out)
{
    if (b->totals.lines == 0) {
        hd_buf_printf(out, "! %s\n",
                      con_show_say(show,
                                   "no line of this archive was received in this time: "
                                   "look at --since, --until and --archive",
                                   "kho lưu không có dòng nào nhận trong khoảng này: xem "
                                   "lại --since, --until và --archive"));
    }
    text_count(show, b->totals.corrupt, "entries of the archive do not verify",
               "mục trong kho lưu bị hỏng", out);
    text_count(show, b->totals.lost, "lines could not be read", "dòng không đọc được",
               out);
    text_count(show, b->totals.removed,
               "times entries had been removed by retention before they were read",
               "lần dữ liệu bị xóa theo hạn lưu trước khi kịp đọc", out);
    text_count(show, b->totals.tests, "lines of canaries were left out: they are tests",
               "dòng thử nghiệm (canary) không được tính", out);
    text_count(show, b->correlated.late, "hits were too late to be correlated",
               "lượt khớp đến quá muộn để tương quan", out);
    text_count(show, b->correlated.no_group,
               "hits lack the field that their correlation groups by",
               "lượt khớp thiếu trường dùng để gom nhóm", out);
    text_count(show, b->correlated.evicted,
               "groups were forgotten for lack of memory: slow attacks may be missing",
               "nhóm bị bỏ vì thiếu bộ nhớ: có thể sót tấn công chậm", out);
}

static void text_head(const struct con_backtest *b, const struct con_show *show,
                      struct hd_buf *out)
{
    double took_s = (double)b->took_ns / HD_NS_PER_SEC;
    con_show_time(show, b->scan.since_ns, out);
    hd_buf_str(out, " - ");
    con_show_time(show, b->scan.until_ns, out);
    hd_buf_printf(out, ": %" PRIu64 " %s, %.1f s, %.0f %s\n", b->totals.lines,
                  con_show_say(show, "lines", "dòng"), took_s,
                  took_s > 0 ? (double)b->totals.lines / took_s : 0,
                  con_show_say(show, "lines/s", "dòng/giây"));
}

void con_backtest_text(const struct con_backtest *b, const struct con_show *show,
                       struct hd_buf *out)
{
    uint64_t raised = 0, repeats = 0;
    size_t fired = 0;
    text_head(b, show, out);
    text_warnings(b, show, out);
    for (size_t i = 0; i < b->tally.n_rules; i++) {
        const struct con_tally_rule *r = &b->tally.rules[i];
        raised += r->raised;
        repeats += r->repeats;
        fired += r->raised > 0;
        if (r->raised > 0) {
            text_rule(show, rul_set_rule(b->set, i), r, out);
        }
    }
    hd_buf_printf(out, "\n%zu %s %zu %s: %" PRIu64 " %s, %" PRIu64 " %s\n", fired,
                  con_show_say(show, "of", "trên"), b->tally.n_rules,
                  con_show_say(show, "rules would have fired", "luật sẽ kích hoạt"),
                  raised, con_show_say(show, "alerts", "cảnh báo"), repeats,
                  con_show_say(show, "repeats held back", "lần lặp lại bị giữ lại"));
}
