/* SPDX-License-Identifier: Apache-2.0
 *
 * Received, alerts, delivery, stored: the parts of the document with tables.
 */
#include <haidang/alert.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/report/show.h"
#include "console/sources.h"

#define DAYS_SHOWN 31U
#define DAY_LEN    10U /* "2026-11-21" */
#define MONTH_LEN  7U

static const char *say(const struct con_report *r, const char *en, const char *vi)
{
    return con_report_say(r, en, vi);
}

static void not_known(const struct con_report *r, struct con_paper *paper)
{
    con_paper_text(paper, "%s",
                   say(r, "Not known; see above.", "Không biết; xem phần trên."));
}

/* ---- received ---- */

static void show_volumes(const struct con_report *r, struct con_paper *paper,
                         const json_t *part, const char *list, const char *head)
{
    size_t i;
    const json_t *row;
    const json_t *rows = json_object_get(part, list);
    const char *const heads[] = {head, say(r, "#lines", "#dòng"),
                                 say(r, "#size", "#dung lượng"), NULL};
    if (json_array_size(rows) == 0) {
        return;
    }
    con_paper_table(paper, heads);
    json_array_foreach(rows, i, row)
    {
        struct con_report_cell lines = con_report_number(row, "count");
        struct con_report_cell size = con_report_size(row, "bytes");
        con_paper_row(
            paper, (const char *[]){hd_alert_text(row, "name"), lines.text, size.text});
    }
    con_paper_table_end(paper);
    con_report_more(r, paper, part, list);
}

static void show_systems(const struct con_report *r, struct con_paper *paper,
                         const json_t *part, const char *list, const char *counted)
{
    size_t i;
    const json_t *row;
    const json_t *rows = json_object_get(part, list);
    const char *const heads[] = {say(r, "information system", "hệ thống thông tin"),
                                 say(r, "#level", "#cấp độ"), say(r, "agency", "cơ quan"),
                                 strcmp(counted, "lines") == 0
                                     ? say(r, "#lines", "#dòng")
                                     : say(r, "#alerts", "#cảnh báo"),
                                 NULL};
    if (json_array_size(rows) == 0) {
        return;
    }
    con_paper_table(paper, heads);
    json_array_foreach(rows, i, row)
    {
        struct con_report_cell level = con_report_number(row, "level");
        struct con_report_cell count = con_report_number(row, counted);
        con_paper_row(paper, (const char *[]){hd_alert_text(row, "name"), level.text,
                                              hd_alert_text(row, "agency"), count.text});
    }
    con_paper_table_end(paper);
    con_report_more(r, paper, part, list);
}

/* A row a day; of long periods a row a month. */
static void show_days(const struct con_report *r, struct con_paper *paper,
                      const json_t *part)
{
    const json_t *days = json_object_get(part, "days");
    size_t n = json_array_size(days), len = n > DAYS_SHOWN ? MONTH_LEN : DAY_LEN;
    const char *const heads[] = {n > DAYS_SHOWN ? say(r, "month", "tháng")
                                                : say(r, "day", "ngày"),
                                 say(r, "#lines", "#dòng"), NULL};
    con_paper_table(paper, heads);
    for (size_t i = 0; i < n;) {
        const char *day = hd_alert_text(json_array_get(days, i), "day");
        char when[DAY_LEN + 1], lines[32];
        int64_t sum = 0;
        (void)snprintf(when, sizeof(when), "%.*s", (int)len, day);
        for (; i < n; i++) {
            const json_t *row = json_array_get(days, i);
            if (strncmp(hd_alert_text(row, "day"), when, len) != 0) {
                break;
            }
            sum += hd_alert_int(row, "lines", 0);
        }
        (void)snprintf(lines, sizeof(lines), "%" PRId64, sum);
        con_paper_row(paper, (const char *[]){when, lines});
    }
    con_paper_table_end(paper);
}

static void show_gaps(const struct con_report *r, struct con_paper *paper,
                      const json_t *part)
{
    size_t i;
    const json_t *gap;
    const json_t *gaps = json_object_get(part, "gaps");
    if (json_array_size(gaps) > 0) {
        con_paper_text(
            paper, "%s: %" PRId64,
            say(r,
                "Whole hours without any line, whether none was sent or none arrived is "
                "not known",
                "Số giờ không có dòng nào; không biết là không ai gửi hay gửi không đến"),
            hd_alert_int(part, "hours_without_lines", 0));
    }
    json_array_foreach(gaps, i, gap)
    {
        struct con_report_cell since = con_report_time(r, gap, "since");
        struct con_report_cell until = con_report_time(r, gap, "until");
        con_paper_item(paper, "%s - %s", since.text, until.text);
    }
    con_report_more(r, paper, part, "gaps");
}

static void show_unwatched(const struct con_report *r, struct con_paper *paper,
                           const json_t *systems, const char *title)
{
    size_t i;
    const json_t *system;
    if (json_array_size(systems) > 0) {
        con_paper_text(paper, "%s:", title);
    }
    json_array_foreach(systems, i, system)
    {
        con_paper_item(paper, "%s (%s), %s %" PRId64, hd_alert_text(system, "name"),
                       hd_alert_text(system, "id"), say(r, "level", "cấp độ"),
                       hd_alert_int(system, "level", 0));
    }
}

static void show_sources_now(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const char *state;
    const json_t *now = json_object_get(r->doc, "now"), *source;
    json_t *count;
    json_object_foreach(json_object_get(now, "sources_by_state"), state, count)
    {
        con_paper_item(paper, "%s%s: %" JSON_INTEGER_FORMAT,
                       say(r, "sources now, ", "nguồn hiện tại, "),
                       con_source_state_text(&r->show, state), json_integer_value(count));
    }
    json_array_foreach(json_object_get(now, "silent"), i, source)
    {
        struct con_report_cell last = con_report_time(r, source, "last_seen");
        con_paper_item(paper, "%s: %s %s (%s %s), %s %s",
                       con_source_state_text(&r->show, hd_alert_text(source, "state")),
                       hd_alert_text(source, "host"), hd_alert_text(source, "name"),
                       say(r, "agent", "tác tử"), hd_alert_text(source, "agent"),
                       say(r, "last seen", "lần cuối"), last.text);
    }
    con_report_more(r, paper, now, "silent");
    show_unwatched(
        r, paper, json_object_get(now, "unmonitored"),
        say(r, "Systems that nobody watches now", "Hệ thống hiện không được giám sát"));
}

void con_report_show_received(const struct con_report *r, struct con_paper *paper)
{
    const json_t *part = json_object_get(r->doc, "lines");
    con_paper_heading(paper, say(r, "Received", "Nhật ký đã nhận"));
    if (part == NULL) {
        not_known(r, paper);
    } else {
        struct con_report_cell size = con_report_size(part, "bytes");
        con_paper_text(paper, "%s: %" PRId64 ", %s", say(r, "Lines", "Số dòng"),
                       hd_alert_int(part, "lines", 0), size.text);
        show_systems(r, paper, part, "systems", "lines");
        show_unwatched(r, paper, json_object_get(part, "systems_unheard"),
                       say(r, "Systems of level 3 or more without any line in the period",
                           "Hệ thống cấp độ 3 trở lên không có dòng nào trong kỳ"));
        show_volumes(r, paper, part, "agents", say(r, "agent", "tác tử"));
        show_volumes(r, paper, part, "hosts", say(r, "host", "máy chủ"));
        show_days(r, paper, part);
        show_gaps(r, paper, part);
    }
    show_sources_now(r, paper);
}

/* ---- alerts ---- */

static void join_tags(const json_t *rule, struct hd_buf *out)
{
    size_t i;
    const json_t *tag;
    json_array_foreach(json_object_get(rule, "tags"), i, tag)
    {
        hd_buf_str(out, i > 0 ? ", " : "");
        hd_buf_str(out, json_is_string(tag) ? json_string_value(tag) : "");
    }
}

static void show_rules(const struct con_report *r, struct con_paper *paper,
                       const json_t *part)
{
    size_t i;
    const json_t *rule;
    struct hd_buf tags;
    const json_t *rules = json_object_get(part, "rules");
    const char *const heads[] = {say(r, "rule", "luật"),
                                 say(r, "level", "mức"),
                                 say(r, "tags", "nhãn"),
                                 say(r, "#alerts", "#cảnh báo"),
                                 say(r, "#repeats held back", "#lần lặp lại bị gộp"),
                                 NULL};
    if (json_array_size(rules) == 0) {
        return;
    }
    hd_buf_init(&tags, 0);
    con_paper_table(paper, heads);
    json_array_foreach(rules, i, rule)
    {
        struct con_report_cell alerts = con_report_number(rule, "alerts");
        struct con_report_cell suppressed = con_report_number(rule, "suppressed");
        hd_buf_clear(&tags);
        join_tags(rule, &tags);
        con_paper_row(paper,
                      (const char *[]){con_report_title(r, rule),
                                       con_report_level(r, hd_alert_text(rule, "level")),
                                       hd_buf_cstr(&tags), alerts.text, suppressed.text});
    }
    con_paper_table_end(paper);
    con_report_more(r, paper, part, "rules");
    hd_buf_fini(&tags);
}

static void show_classes(const struct con_report *r, struct con_paper *paper,
                         const json_t *part, const char *list, const char *head)
{
    size_t i;
    const json_t *row;
    const json_t *rows = json_object_get(part, list);
    const char *const heads[] = {head, say(r, "#alerts", "#cảnh báo"), NULL};
    if (json_array_size(rows) == 0) {
        return;
    }
    con_paper_table(paper, heads);
    json_array_foreach(rows, i, row)
    {
        struct con_report_cell alerts = con_report_number(row, "alerts");
        struct hd_buf name;
        hd_buf_init(&name, 0);
        hd_buf_str(&name, hd_alert_text(row, "id"));
        hd_buf_str(&name, hd_alert_text(row, "name")[0] != '\0' ? " " : "");
        hd_buf_str(&name, hd_alert_text(row, "name"));
        con_paper_row(paper, (const char *[]){hd_buf_cstr(&name), alerts.text});
        hd_buf_fini(&name);
    }
    con_paper_table_end(paper);
    con_report_more(r, paper, part, list);
}

static void show_levels(const struct con_report *r, struct con_paper *paper,
                        const json_t *part)
{
    const char *const heads[] = {say(r, "level", "mức"), say(r, "#alerts", "#cảnh báo"),
                                 NULL};
    con_paper_table(paper, heads);
    for (unsigned i = HD_SEV_CRITICAL; i >= HD_SEV_LOW; i--) {
        const char *level = hd_severity_name((enum hd_severity)i);
        struct con_report_cell count =
            con_report_number(json_object_get(part, "by_level"), level);
        con_paper_row(paper, (const char *[]){con_report_level(r, level), count.text});
    }
    con_paper_table_end(paper);
}

void con_report_show_alerts(const struct con_report *r, struct con_paper *paper)
{
    const json_t *part = json_object_get(r->doc, "alerts");
    con_paper_heading(paper, say(r, "Alerts", "Cảnh báo"));
    if (part == NULL) {
        not_known(r, paper);
        return;
    }
    con_paper_text(paper, "%s: %" PRId64 "; %s: %" PRId64,
                   say(r, "Alerts", "Số cảnh báo"), hd_alert_int(part, "alerts", 0),
                   say(r, "in the period before, as far as it is kept",
                       "kỳ liền trước, trong phạm vi còn lưu"),
                   hd_alert_int(part, "period_before", 0));
    show_levels(r, paper, part);
    show_rules(r, paper, part);
    show_classes(r, paper, part, "tactics",
                 say(r, "ATT&CK tactic", "chiến thuật ATT&CK"));
    show_classes(r, paper, part, "techniques",
                 say(r, "ATT&CK technique", "kỹ thuật ATT&CK"));
    show_systems(r, paper, part, "systems", "alerts");
    con_report_names(r, paper, part, "hosts", say(r, "host", "máy chủ"));
    con_report_names(r, paper, part, "destinations",
                     say(r, "attacked address", "địa chỉ bị tấn công"));
    con_report_names(r, paper, part, "sources",
                     say(r, "source address", "địa chỉ nguồn tấn công"));
}

/* ---- delivery ---- */

static void join_profiles(const struct con_report *r, const json_t *to,
                          struct hd_buf *out)
{
    size_t i;
    const json_t *profile, *live;
    json_array_foreach(json_object_get(to, "profiles"), i, profile)
    {
        hd_buf_str(out, i > 0 ? ", " : "");
        hd_buf_str(out, json_string_value(profile));
    }
    if (hd_alert_at(r->doc, "now.destinations") == NULL) {
        hd_buf_printf(out, " (%s)",
                      say(r, "whether it is official is not known",
                          "không biết có phải bản chính thức"));
    }
    json_array_foreach(hd_alert_at(r->doc, "now.destinations"), i, live)
    {
        const char *status = hd_alert_text(live, "profile_status");
        if (strcmp(hd_alert_text(live, "name"), hd_alert_text(to, "name")) == 0) {
            hd_buf_printf(out, " (%s%s)", status,
                          strcmp(status, "official") == 0
                              ? ""
                              : say(r, ", not endorsed", ", chưa được xác nhận"));
        }
    }
}

void con_report_show_delivery(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const json_t *to;
    const json_t *part = json_object_get(r->doc, "delivery");
    const json_t *list = json_object_get(part, "destinations");
    const char *const heads[] = {
        say(r, "destination", "nơi nhận"),
        say(r, "profile", "hồ sơ định dạng"),
        say(r, "#delivered, with receipt", "#đã gửi, có biên nhận"),
        say(r, "#dead letters", "#bị từ chối hẳn"),
        say(r, "#pending", "#đang chờ"),
        say(r, "#not for it", "#không thuộc diện gửi"),
        NULL};
    con_paper_heading(paper, say(r, "Delivery of the alerts", "Gửi cảnh báo"));
    if (part == NULL) {
        not_known(r, paper);
        return;
    }
    if (json_array_size(list) == 0) {
        con_paper_text(paper, "%s",
                       say(r, "There is no receipt since the period began.",
                           "Không có biên nhận nào từ đầu kỳ."));
        return;
    }
    con_paper_table(paper, heads);
    json_array_foreach(list, i, to)
    {
        struct con_report_cell delivered = con_report_number(to, "delivered");
        struct con_report_cell dead = con_report_number(to, "dead");
        struct con_report_cell pending = con_report_number(to, "pending");
        struct con_report_cell other = con_report_number(to, "not_for_it");
        struct hd_buf profiles;
        hd_buf_init(&profiles, 0);
        join_profiles(r, to, &profiles);
        con_paper_row(paper, (const char *[]){hd_alert_text(to, "name"),
                                              hd_buf_cstr(&profiles), delivered.text,
                                              dead.text, pending.text, other.text});
        hd_buf_fini(&profiles);
    }
    con_paper_table_end(paper);
}

/* ---- stored ---- */

static void show_journals(const struct con_report *r, struct con_paper *paper)
{
    const char *name;
    json_t *journal;
    const char *const heads[] = {say(r, "journal", "nhật ký lưu"),
                                 say(r, "#segments", "#đoạn"),
                                 say(r, "#signed", "#đã ký"),
                                 say(r, "#sealed, not signed", "#niêm phong, chưa ký"),
                                 say(r, "signed through", "đã ký đến"),
                                 say(r, "#size", "#dung lượng"),
                                 NULL};
    con_paper_table(paper, heads);
    json_object_foreach(json_object_get(r->doc, "journals"), name, journal)
    {
        struct con_report_cell segments = con_report_number(journal, "segments");
        struct con_report_cell stated = con_report_number(journal, "signed");
        struct con_report_cell not_stated = con_report_number(journal, "not_signed");
        struct con_report_cell through = con_report_time(r, journal, "signed_through");
        struct con_report_cell size = con_report_size(journal, "bytes");
        con_paper_row(paper, (const char *[]){name, segments.text, stated.text,
                                              not_stated.text, through.text, size.text});
    }
    con_paper_table_end(paper);
    struct con_report_cell begins = con_report_time(r, r->doc, "journals.archive.begins");
    con_paper_text(paper, "%s: %s", say(r, "The archive begins", "Kho lưu bắt đầu"),
                   begins.text);
}

static void show_mirror(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const json_t *journal;
    const json_t *mirror = hd_alert_at(r->doc, "now.mirror");
    if (json_object_get(r->doc, "now") != NULL && mirror == NULL) {
        con_paper_text(paper, "%s",
                       say(r,
                           "No second copy is configured, or the correlator did not say.",
                           "Không cấu hình bản sao thứ hai, hoặc bộ phân tích không cho "
                           "biết."));
    }
    json_array_foreach(json_object_get(mirror, "journals"), i, journal)
    {
        con_paper_item(
            paper, "%s %s: %s %" PRId64 " %s", say(r, "second copy of", "bản sao của"),
            hd_alert_text(journal, "journal"), say(r, "behind by", "còn thiếu"),
            hd_alert_int(journal, "behind", 0), say(r, "segments", "đoạn"));
    }
}

static void show_canaries(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const json_t *rule;
    const json_t *part = json_object_get(r->doc, "canaries");
    const json_t *rules = json_object_get(part, "rules");
    const char *const heads[] = {say(r, "rule", "luật"),
                                 say(r, "last proven alive", "thử thành công lần cuối"),
                                 say(r, "#in the period", "#trong kỳ"), NULL};
    con_paper_heading(paper, say(r, "Canaries", "Thử nghiệm định kỳ"));
    if (part == NULL) {
        not_known(r, paper);
        return;
    }
    con_paper_text(paper, "%s: %" PRId64,
                   say(r, "Rules proven alive in the period",
                       "Số luật được thử thành công trong kỳ"),
                   hd_alert_int(part, "rules_proven", 0));
    if (hd_alert_at(r->doc, "now.canaries") != NULL) {
        con_paper_text(
            paper, "%s: %" PRId64 " / %" PRId64,
            say(r, "As the correlator says now, proven at some time / never",
                "Theo bộ phân tích hiện nay, đã từng thử thành công / chưa bao "
                "giờ"),
            hd_alert_int(r->doc, "now.canaries.rules_proven", 0),
            hd_alert_int(r->doc, "now.canaries.rules_unproven", 0));
    }
    if (json_array_size(rules) == 0) {
        return;
    }
    con_paper_table(paper, heads);
    json_array_foreach(rules, i, rule)
    {
        struct con_report_cell last = con_report_time(r, rule, "last");
        struct con_report_cell n = con_report_number(rule, "in_period");
        con_paper_row(paper,
                      (const char *[]){con_report_title(r, rule), last.text, n.text});
    }
    con_paper_table_end(paper);
    con_report_more(r, paper, part, "rules");
}

void con_report_show_stored(const struct con_report *r, struct con_paper *paper)
{
    con_paper_heading(paper, say(r, "Stored", "Lưu trữ"));
    show_journals(r, paper);
    show_mirror(r, paper);
    show_canaries(r, paper);
}
