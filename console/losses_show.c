/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/utf8.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "console/losses.h"

#define KIND_WIDTH  18U
#define AGENT_WIDTH 16U

/* What haidang/loss.h says in English. */
static const struct {
    const char *unit, *why, *todo;
} vietnamese[HD_LOSS_KINDS] = {
    [HD_LOSS_OTHER] = {"mục", "thuộc loại mà phiên bản này chưa biết",
                       "cập nhật chương trình này"},
    [HD_LOSS_SPOOL_FULL] =
        {"dòng", "hàng đợi của tác tử đầy hoặc quá chậm, mà bên gửi không chờ",
         "khôi phục kết nối tới bộ phân tích; tăng spool_max; chuyển bên gửi sang TCP"},
    [HD_LOSS_KERNEL_DROPS] =
        {"gói UDP", "bộ đệm nhận của socket bị đầy",
         "tăng receive_buffer và net.core.rmem_max, hoặc chuyển bên gửi sang TCP"},
    [HD_LOSS_PACKETS] = {"gói tin", "vòng đệm bắt gói bị đầy",
                         "tăng packet.buffer, thu hẹp packet.filter, hoặc thêm năng lực "
                         "xử lý cho máy"},
    [HD_LOSS_TRUNCATED] = {"dòng",
                           "dài hơn line_max: phần cuối bị cắt, phần đầu được giữ lại",
                           "tăng line_max, hoặc kiểm tra chương trình ghi những dòng đó"},
    [HD_LOSS_STREAM] = {"phần", "không đủ bộ nhớ để giữ dữ liệu mà luồng đưa tới",
                        "tăng bộ nhớ cho máy chạy tác tử"},
    [HD_LOSS_UNREAD] = {"byte", "tệp bị cắt ngắn trước khi được đọc",
                        "xem cảnh báo về tệp đó; đừng để hàng đợi của tác tử bị đầy"},
    [HD_LOSS_GAP] = {"dòng", "tác tử đã đánh số nhưng không còn giữ những dòng này",
                     "kiểm tra đĩa của tác tử: hàng đợi có bị sửa, hỏng hoặc xóa không?"},
    [HD_LOSS_LATE] = {"lần khớp",
                      "đến quá muộn nên không được tương quan; luật đơn vẫn xét",
                      "chỉnh đồng hồ hoặc đường truyền của tác tử, hoặc tăng "
                      "detect.lateness"},
    [HD_LOSS_GROUPS] = {"nhóm", "bộ tương quan đã quên vì hết bộ nhớ",
                        "tăng detect.memory"},
    [HD_LOSS_BATCH] = {"dòng", "đã lưu nhưng luật không đọc được",
                       "báo cho nhóm phát triển; các dòng vẫn còn trong kho lưu"},
    [HD_LOSS_DAMAGED] = {"mục", "dữ liệu đã lưu không khớp mã kiểm tra",
                         "thay đĩa, hoặc tìm xem ai đã sửa tệp"},
    [HD_LOSS_REMOVED] = {"mục",
                         "bị xóa theo thời hạn lưu, hoặc mất do hỏng, trước khi được đọc",
                         "tăng dung lượng kho lưu, hoặc thêm năng lực phân tích"},
    [HD_LOSS_DEAD_LETTER] = {"cảnh báo", "nơi nhận sẽ không bao giờ tiếp nhận",
                             "báo cáo thủ công những cảnh báo này; sửa hồ sơ định dạng "
                             "hoặc cấu hình"},
};

const char *con_loss_unit(const struct con_show *show, enum hd_loss_kind kind)
{
    return con_show_say(show, hd_loss_unit(kind), vietnamese[kind].unit);
}

const char *con_loss_why(const struct con_show *show, enum hd_loss_kind kind)
{
    return con_show_say(show, hd_loss_why(kind), vietnamese[kind].why);
}

static int compare(const void *a, const void *b)
{
    const struct hd_loss *x = &((const struct con_loss_row *)a)->sum;
    const struct hd_loss *y = &((const struct con_loss_row *)b)->sum;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    int order = strcmp(x->agent, y->agent);
    return order != 0 ? order : strcmp(x->source, y->source);
}

void con_losses_sort(struct con_loss_rows *rows)
{
    if (rows->n > 1) {
        qsort(rows->rows, rows->n, sizeof(*rows->rows), compare);
    }
}

static void put_cell(struct hd_buf *out, const char *text, size_t width)
{
    size_t before = out->len;
    hd_utf8_escape(out, hd_slice_str(text[0] != '\0' ? text : "-"));
    size_t used = hd_utf8_width(hd_slice_from(hd_buf_slice(out), before));
    for (; used < width; used++) {
        hd_buf_byte(out, ' ');
    }
    hd_buf_str(out, "  ");
}

static void put_row(const struct con_show *show, const struct con_systems *systems,
                    const struct con_loss_row *row, struct hd_buf *out)
{
    const struct hd_loss *sum = &row->sum;
    const struct hd_system *system = con_loss_system(systems, sum);
    put_cell(out, hd_loss_name(sum->kind), KIND_WIDTH);
    put_cell(out, sum->agent, AGENT_WIDTH);
    put_cell(out, sum->source, AGENT_WIDTH);
    hd_buf_printf(out, "%" PRIu64 " %s", sum->count, con_loss_unit(show, sum->kind));
    if (sum->bytes > 0) {
        hd_buf_printf(out, " (%" PRIu64 " B)", sum->bytes);
    }
    hd_buf_str(out, "  ");
    con_show_time(show, sum->first_ns, out);
    hd_buf_str(out, " - ");
    con_show_time(show, sum->last_ns, out);
    if (sum->first_seq > 0) {
        hd_buf_printf(out, "  %s %" PRIu64 "-%" PRIu64,
                      con_show_say(show, "sequence", "số thứ tự"), sum->first_seq,
                      sum->last_seq);
    }
    if (system != NULL) {
        json_t *json = con_systems_json(system);
        con_show_system(show, json, out);
        json_decref(json);
    }
    hd_buf_byte(out, '\n');
}

/* Once a kind; what a record says beyond that, behind it. */
static void put_reason(const struct con_show *show, const struct hd_loss *loss,
                       struct hd_buf *out)
{
    hd_buf_printf(out, "    %s", con_loss_why(show, loss->kind));
    if (loss->why[0] != '\0' && strcmp(loss->why, hd_loss_why(loss->kind)) != 0) {
        hd_buf_str(out, ": ");
        hd_utf8_escape(out, hd_slice_str(loss->why));
    }
    hd_buf_printf(
        out, "\n    -> %s\n",
        con_show_say(show, hd_loss_todo(loss->kind), vietnamese[loss->kind].todo));
}

static void put_totals(const struct con_show *show, const struct con_loss_rows *rows,
                       struct hd_buf *out)
{
    const char *between = " ";
    hd_buf_str(out, con_show_say(show, "in all:", "tổng cộng:"));
    for (size_t i = 0; i < rows->n;) {
        enum hd_loss_kind kind = rows->rows[i].sum.kind;
        uint64_t count = 0;
        for (; i < rows->n && rows->rows[i].sum.kind == kind; i++) {
            count += rows->rows[i].sum.count;
        }
        hd_buf_printf(out, "%s%s %" PRIu64 " %s", between, hd_loss_name(kind), count,
                      con_loss_unit(show, kind));
        between = ", ";
    }
    hd_buf_byte(out, '\n');
}

void con_losses_table(const struct con_show *show, const struct con_systems *systems,
                      const struct con_loss_rows *rows, int64_t since_ns,
                      struct hd_buf *out)
{
    if (rows->n == 0) {
        hd_buf_printf(
            out, "%s ",
            con_show_say(show, "nothing was lost since", "không có gì bị mất kể từ"));
        con_show_time(show, since_ns, out);
        hd_buf_byte(out, '\n');
        return;
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct hd_loss *sum = &rows->rows[i].sum;
        put_row(show, systems, &rows->rows[i], out);
        if (i + 1 == rows->n || rows->rows[i + 1].sum.kind != sum->kind) {
            put_reason(show, sum, out);
        }
    }
    put_totals(show, rows, out);
}
