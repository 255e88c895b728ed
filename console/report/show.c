/* SPDX-License-Identifier: Apache-2.0
 *
 * The document as a person reads it: the frame, what is not known, losses, programs.
 */
#include "console/report/show.h"

#include <haidang/alert.h>
#include <haidang/main.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/archive.h"
#include "console/losses.h"

/* ---- small texts ---- */

const char *con_report_say(const struct con_report *r, const char *en, const char *vi)
{
    return con_show_say(&r->show, en, vi);
}

struct con_report_cell con_report_number(const json_t *json, const char *path)
{
    struct con_report_cell cell = {.text = "-"};
    const json_t *value = hd_alert_at(json, path);
    if (json_is_integer(value)) {
        (void)snprintf(cell.text, sizeof(cell.text), "%" JSON_INTEGER_FORMAT,
                       json_integer_value(value));
    }
    return cell;
}

struct con_report_cell con_report_size(const json_t *json, const char *path)
{
    struct con_report_cell cell = {.text = "-"};
    struct hd_buf out = hd_buf_fixed(cell.text, sizeof(cell.text));
    if (json_is_integer(hd_alert_at(json, path))) {
        con_archive_size(&out, (uint64_t)hd_alert_int(json, path, 0));
        (void)hd_buf_cstr(&out);
    }
    return cell;
}

struct con_report_cell con_report_time(const struct con_report *r, const json_t *json,
                                       const char *path)
{
    struct con_report_cell cell = {.text = "-"};
    struct hd_buf out = hd_buf_fixed(cell.text, sizeof(cell.text));
    int64_t ns;
    if (hd_alert_time(json, path, &ns) == HD_OK) {
        con_show_time(&r->show, ns, &out);
        (void)hd_buf_cstr(&out);
    }
    return cell;
}

const char *con_report_title(const struct con_report *r, const json_t *rule)
{
    const char *vi = hd_alert_text(rule, "title_vi");
    return r->show.is_vietnamese && vi[0] != '\0' ? vi : hd_alert_text(rule, "title");
}

const char *con_report_level(const struct con_report *r, const char *level)
{
    static const char *const vietnamese[][2] = {{"critical", "nghiêm trọng"},
                                                {"high", "cao"},
                                                {"medium", "trung bình"},
                                                {"low", "thấp"},
                                                {"informational", "thông tin"}};
    for (size_t i = 0; i < sizeof(vietnamese) / sizeof(vietnamese[0]); i++) {
        if (r->show.is_vietnamese && strcmp(vietnamese[i][0], level) == 0) {
            return vietnamese[i][1];
        }
    }
    return level;
}

void con_report_more(const struct con_report *r, struct con_paper *paper,
                     const json_t *part, const char *list)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s_more", list);
    int64_t more = hd_alert_int(part, name, 0);
    if (more > 0) {
        con_paper_text(paper, "%" PRId64 " %s", more,
                       con_report_say(r, "more are not shown (--top N).",
                                      "mục khác không hiển thị (--top N)."));
    }
}

void con_report_names(const struct con_report *r, struct con_paper *paper,
                      const json_t *part, const char *list, const char *head)
{
    size_t i;
    const json_t *row;
    const json_t *rows = json_object_get(part, list);
    const char *const heads[] = {head, con_report_say(r, "#alerts", "#cảnh báo"), NULL};
    if (json_array_size(rows) == 0) {
        return;
    }
    con_paper_table(paper, heads);
    json_array_foreach(rows, i, row)
    {
        struct con_report_cell count = con_report_number(row, "count");
        con_paper_row(paper, (const char *[]){hd_alert_text(row, "name"), count.text});
    }
    con_paper_table_end(paper);
    con_report_more(r, paper, part, list);
}

/* ---- what is not known ---- */

static const struct {
    const char *en, *vi; /* what it is about stands behind */
} gap_texts[CON_REPORT_GAPS] = {
    [CON_REPORT_NOT_OVER] =
        {"The period is not over; this is what there was until the "
         "report was made",
         "Kỳ báo cáo chưa kết thúc; số liệu tính đến lúc lập báo cáo"},
    [CON_REPORT_BEFORE_BEGIN] =
        {"The archive begins after the period's beginning: nothing is known of lines "
         "before",
         "Kho lưu bắt đầu sau thời điểm đầu kỳ: không biết gì về các dòng trước"},
    [CON_REPORT_NOTHING] =
        {"Nothing was archived: whether anything was sent is not known",
         "Kho lưu chưa có dữ liệu: không biết có gì được gửi hay không"},
    [CON_REPORT_EXPIRED] = {"Its older entries were removed: what is left does not reach "
                            "back to the period's beginning",
                            "Các mục cũ đã bị xóa: phần còn lại không đủ từ đầu kỳ"},
    [CON_REPORT_DAMAGE] = {"Places that do not verify; what is in them is not counted",
                           "Chỗ bị hỏng; dữ liệu ở đó không được tính"},
    [CON_REPORT_REMOVED] = {"Times that entries were missing: removed by retention "
                            "meanwhile, or lost",
                            "Lần thiếu dữ liệu: đã bị xóa theo hạn lưu, hoặc bị mất"},
    [CON_REPORT_LOCKED] = {"Encrypted, and the key was not given (--unlock); not counted",
                           "Đã mã hóa mà không có khóa (--unlock); không được tính"},
    [CON_REPORT_UNREADABLE] = {"Lines that cannot be read; not counted",
                               "Dòng không đọc được; không được tính"},
    [CON_REPORT_NO_JOURNAL] = {"Cannot be read, so that what is in it is not known",
                               "Không đọc được nên không biết nội dung"},
    [CON_REPORT_NO_RECEIPTS] = {"There are no receipts of a forwarder here (--receipts): "
                                "what became of alerts is not known",
                                "Không có biên nhận của bộ chuyển tiếp ở đây "
                                "(--receipts): không biết cảnh báo đã được gửi hay chưa"},
    [CON_REPORT_NOT_ASKED] = {"The data is a copy: how programs, sources and copies are "
                              "now was not asked (--run-dir)",
                              "Dữ liệu là bản sao: không hỏi tình trạng hiện tại của "
                              "chương trình, nguồn và bản sao lưu (--run-dir)"},
    [CON_REPORT_NO_ANSWER] = {"Does not answer, so that its present state is not known",
                              "Không trả lời nên không biết tình trạng hiện tại"},
    [CON_REPORT_NO_INVENTORY] =
        {"There is no inventory of information systems "
         "(--inventory): whether one was not watched is not known",
         "Không có danh mục hệ thống thông tin (--inventory): "
         "không biết hệ thống nào không được giám sát"},
    [CON_REPORT_NOT_VERIFIED] =
        {"What was read was checked against its checksums; hashes, "
         "signatures and chain were not: haidang archive verify",
         "Dữ liệu đã đọc được kiểm tra mã kiểm lỗi; chưa kiểm tra "
         "mã băm, chữ ký và chuỗi: haidang archive verify"},
};

static void show_unknown(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const json_t *row;
    con_paper_heading(paper, con_report_say(r, "What this report cannot know",
                                            "Những điều báo cáo này không thể biết"));
    json_array_foreach(json_object_get(r->doc, "unknown"), i, row)
    {
        const char *what = hd_alert_text(row, "what");
        const char *about = hd_alert_text(row, "about");
        int64_t count = hd_alert_int(row, "count", 0);
        unsigned gap = 0;
        while (gap + 1 < CON_REPORT_GAPS &&
               strcmp(con_report_gap_name((enum con_report_gap)gap), what) != 0) {
            gap++;
        }
        struct con_report_cell time = con_report_time(r, row, "about");
        char number[32] = "";
        if (count > 0) {
            (void)snprintf(number, sizeof(number), ": %" PRId64, count);
        }
        con_paper_item(paper, "%s%s%s%s",
                       con_report_say(r, gap_texts[gap].en, gap_texts[gap].vi), number,
                       about[0] != '\0' ? ": " : "",
                       time.text[0] != '-' ? time.text : about);
    }
}

/* ---- losses ---- */

static void show_loss(const struct con_report *r, struct con_paper *paper,
                      const json_t *row)
{
    enum hd_loss_kind kind = hd_loss_find(hd_slice_str(hd_alert_text(row, "kind")));
    struct con_report_cell first = con_report_time(r, row, "first");
    struct con_report_cell last = con_report_time(r, row, "last");
    const char *why = hd_alert_text(row, "why");
    char count[96];
    bool is_usual = strcmp(why, hd_loss_why(kind)) == 0;
    (void)snprintf(count, sizeof(count), "%" PRId64 " %s", hd_alert_int(row, "count", 0),
                   con_loss_unit(&r->show, kind));
    con_paper_row(paper,
                  (const char *[]){hd_alert_text(row, "kind"), count,
                                   hd_alert_text(row, "agent"),
                                   hd_alert_text(row, "source"), first.text, last.text,
                                   is_usual ? con_loss_why(&r->show, kind) : why});
}

/* In all, a line a kind. */
static void show_loss_totals(const struct con_report *r, struct con_paper *paper,
                             const json_t *part)
{
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(part, "by_kind"), name, count)
    {
        enum hd_loss_kind kind = hd_loss_find(hd_slice_str(name));
        con_paper_item(paper, "%s: %s, %" JSON_INTEGER_FORMAT " %s",
                       con_report_say(r, "in all", "tổng cộng"), name,
                       json_integer_value(count), con_loss_unit(&r->show, kind));
    }
}

static void say_nothing_lost(const struct con_report *r, struct con_paper *paper,
                             bool has_receipts)
{
    bool is_whole = r->archive_begin_ns <= r->period.since_ns;
    con_paper_text(paper, "%s%s%s.",
                   con_report_say(r, "No line was lost or refused",
                                  "Không có dòng nào bị mất hoặc bị từ chối"),
                   has_receipts
                       ? con_report_say(r, ", and no alert", ", cảnh báo cũng vậy")
                       : con_report_say(r, " (of alerts it is not known)",
                                        " (không biết về cảnh báo)"),
                   is_whole ? ""
                            : con_report_say(r, ", since the archive begins",
                                             ", kể từ khi kho lưu bắt đầu"));
}

static void show_losses(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const json_t *row;
    const json_t *part = json_object_get(r->doc, "losses");
    const json_t *rows = json_object_get(part, "rows");
    const char *const heads[] = {con_report_say(r, "kind", "loại"),
                                 con_report_say(r, "#how much", "#bao nhiêu"),
                                 con_report_say(r, "agent", "tác tử"),
                                 con_report_say(r, "source", "nguồn"),
                                 con_report_say(r, "first", "từ"),
                                 con_report_say(r, "last", "đến"),
                                 con_report_say(r, "why", "lý do"),
                                 NULL};
    con_paper_heading(paper, con_report_say(r, "What was lost or refused",
                                            "Những gì đã mất hoặc bị từ chối"));
    if (json_array_size(rows) > 0) {
        con_paper_table(paper, heads);
        json_array_foreach(rows, i, row)
        {
            show_loss(r, paper, row);
        }
        con_paper_table_end(paper);
        show_loss_totals(r, paper, part);
    } else if (json_is_true(json_object_get(part, "ledger")) && !r->is_partial &&
               r->archive_begin_ns < r->period.until_ns) {
        say_nothing_lost(r, paper, json_is_true(json_object_get(part, "receipts")));
    } else {
        con_paper_text(
            paper, "%s",
            con_report_say(r,
                           "Nothing is written down as lost in what could be read; see "
                           "what this report cannot know.",
                           "Phần đọc được không ghi nhận mất mát nào; xem những điều báo "
                           "cáo này không thể biết."));
    }
}

/* ---- programs ---- */

static void show_stores(const struct con_report *r, struct con_paper *paper)
{
    size_t i;
    const json_t *store;
    json_array_foreach(hd_alert_at(r->doc, "now.stores"), i, store)
    {
        con_paper_item(paper, "%s %s: %" PRId64 " %%, %s",
                       con_report_say(r, "room used by", "dung lượng đã dùng của"),
                       hd_alert_text(store, "name"), hd_alert_int(store, "percent", 0),
                       hd_alert_text(store, "state"));
    }
}

static void show_programs(const struct con_report *r, struct con_paper *paper)
{
    size_t i, k;
    const json_t *program, *problem;
    const json_t *programs = hd_alert_at(r->doc, "now.programs");
    if (json_array_size(programs) == 0) {
        return;
    }
    con_paper_heading(paper,
                      con_report_say(r, "Programs, now", "Các chương trình, hiện tại"));
    json_array_foreach(programs, i, program)
    {
        con_paper_item(
            paper, "%s %s: %s", hd_alert_text(program, "program"),
            hd_alert_text(program, "version"),
            strcmp(hd_alert_text(program, "state"), "ok") == 0
                ? con_report_say(r, "well", "tốt")
                : con_report_say(r, "something needs attention", "có việc cần xem"));
        json_array_foreach(json_object_get(program, "problems"), k, problem)
        {
            con_paper_item(paper, "! %s",
                           json_is_string(problem) ? json_string_value(problem) : "");
        }
    }
    show_stores(r, paper);
}

/* ---- the frame ---- */

static const char *unit_text(const struct con_report *r)
{
    static const struct {
        const char *name, *vi;
    } units[] = {{"day", "ngày"},    {"week", "tuần"},    {"month", "tháng"},
                 {"quarter", "quý"}, {"half", "nửa năm"}, {"year", "năm"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, r->unit) == 0) {
            return con_report_say(r, units[i].name, units[i].vi);
        }
    }
    return r->unit;
}

static void show_title(const struct con_report *r, struct con_paper *paper)
{
    struct con_report_cell since = con_report_time(r, r->doc, "period.since");
    struct con_report_cell until = con_report_time(r, r->doc, "period.until");
    const char *what =
        con_report_say(r, "Information security report", "Báo cáo an toàn thông tin");
    char title[256];
    if (r->unit != NULL) {
        (void)snprintf(title, sizeof(title), "%s: %s %s", what, unit_text(r), r->name);
    } else {
        (void)snprintf(title, sizeof(title), "%s: %s - %s", what, since.text, until.text);
    }
    con_paper_begin(paper, con_report_say(r, "en", "vi"), title);
}

static void show_head(const struct con_report *r, struct con_paper *paper)
{
    struct con_report_cell since = con_report_time(r, r->doc, "period.since");
    struct con_report_cell until = con_report_time(r, r->doc, "period.until");
    struct con_report_cell made = con_report_time(r, r->doc, "made");
    con_paper_item(paper, "%s: %s - %s (%s)",
                   con_report_say(r, "Period, without its end",
                                  "Kỳ báo cáo, không kể thời điểm cuối"),
                   since.text, until.text, hd_alert_text(r->doc, "period.zone"));
    con_paper_item(paper, "%s: %s, %s, haidang %s", con_report_say(r, "Made", "Lập lúc"),
                   made.text, hd_alert_text(r->doc, "made_on"), hd_version);
    con_paper_item(paper, "%s: %s (%s)", con_report_say(r, "Archive", "Kho lưu"),
                   r->archive, hd_alert_text(r->doc, "journals.archive.id"));
    con_paper_item(
        paper, "%s",
        con_report_say(r,
                       "This report and the formats used towards the national centre are "
                       "haidang's own, not endorsed by NCSC or A05, unless a "
                       "destination's profile says official.",
                       "Báo cáo này và các định dạng dùng với trung tâm quốc gia là của "
                       "Hải Đăng, chưa được NCSC hay A05 xác nhận, trừ khi hồ sơ định "
                       "dạng của nơi nhận ghi official."));
}

void con_report_show(const struct con_report *r, bool is_html, struct hd_buf *out)
{
    struct con_paper paper = {.out = out, .is_html = is_html};
    show_title(r, &paper);
    show_head(r, &paper);
    show_unknown(r, &paper);
    con_report_show_received(r, &paper);
    con_report_show_alerts(r, &paper);
    con_report_show_delivery(r, &paper);
    show_losses(r, &paper);
    con_report_show_stored(r, &paper);
    show_programs(r, &paper);
    con_paper_end(&paper);
}
