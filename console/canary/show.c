/* SPDX-License-Identifier: Apache-2.0 */
#include "console/canary/canary.h"

#include <inttypes.h>
#include <string.h>

#include <haidang/json.h>
#include <haidang/utf8.h>

static int64_t since_ms(const struct con_canary_shot *shot, int64_t at_ns)
{
    return (at_ns - shot->sent_ns) / HD_NS_PER_MS;
}

static void colour(const struct con_show *show, struct hd_buf *out, const char *code)
{
    hd_buf_str(out, show->has_colour ? code : "");
}

static void step(const struct con_show *show, const struct con_canary_shot *shot,
                 struct hd_buf *out, const char *what, int64_t at_ns)
{
    hd_buf_printf(out, "    %s %s %" PRId64 " ms", what,
                  con_show_say(show, "after", "sau"), since_ms(shot, at_ns));
}

void con_canary_show_text(const struct con_show *show, const struct con_canary_shot *shot,
                          struct hd_buf *out)
{
    bool is_well = shot->why[0] == '\0';
    const char *vi = shot->rule->title_vi;
    colour(show, out, is_well ? "\033[32m" : "\033[31m");
    hd_buf_str(out, is_well ? con_show_say(show, "arrived", "đã đến ")
                            : con_show_say(show, "FAILED ", "HỎNG   "));
    colour(show, out, "\033[0m");
    hd_buf_printf(out, "  %s %s  ", hd_canary_class_name(shot->target->class),
                  shot->target->where);
    hd_utf8_escape(
        out, hd_slice_str(show->is_vietnamese && vi[0] != '\0' ? vi : shot->rule->title));
    hd_buf_printf(out, "  (%u %s)\n", shot->sent,
                  con_show_say(show, shot->sent == 1 ? "line" : "lines", "dòng"));
    if (shot->archived_ns != 0) {
        step(show, shot, out, con_show_say(show, "archived", "đã lưu"),
             shot->archived_ns);
        hd_buf_str(out, "  ");
        hd_utf8_escape(out, hd_slice_str(shot->event));
        hd_buf_byte(out, '\n');
    }
    if (shot->alert_ns != 0) {
        step(show, shot, out, con_show_say(show, "alert", "cảnh báo"), shot->alert_ns);
        hd_buf_printf(out, "  %s\n", shot->alert);
    }
    if (shot->receipt_ns != 0) {
        step(show, shot, out, con_show_say(show, "withheld", "giữ lại, không gửi đi,"),
             shot->receipt_ns);
        hd_buf_str(out, "  ");
        hd_utf8_escape(out, hd_slice_str(shot->destination));
        hd_buf_str(out, ": ");
        hd_utf8_escape(out, hd_slice_str(shot->reason));
        hd_buf_byte(out, '\n');
    }
    if (!is_well) {
        hd_buf_printf(out, "    ! ");
        hd_utf8_escape(out, hd_slice_str(shot->why));
        hd_buf_byte(out, '\n');
    }
}

static void put_text(struct hd_json *j, const char *key, const char *text)
{
    if (text[0] != '\0') {
        hd_json_cstr(j, key, text);
    }
}

static void put_ms(struct hd_json *j, const char *key, const struct con_canary_shot *shot,
                   int64_t at_ns)
{
    if (at_ns != 0) {
        hd_json_i64(j, key, since_ms(shot, at_ns));
    }
}

void con_canary_show_json(const struct con_canary_shot *shot, struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_bool(&j, "arrived", shot->why[0] == '\0');
    hd_json_cstr(&j, "id", shot->id);
    hd_json_cstr(&j, "class", hd_canary_class_name(shot->target->class));
    hd_json_cstr(&j, "target", shot->target->where);
    hd_json_object(&j, "rule");
    hd_json_cstr(&j, "id", shot->rule->id);
    hd_json_cstr(&j, "title", shot->rule->title);
    hd_json_end(&j, '}');
    hd_json_u64(&j, "lines", shot->sent);
    put_text(&j, "event", shot->event);
    put_ms(&j, "archived_ms", shot, shot->archived_ns);
    put_text(&j, "alert", shot->alert);
    put_ms(&j, "alert_ms", shot, shot->alert_ns);
    put_text(&j, "destination", shot->destination);
    put_text(&j, "reason", shot->reason);
    put_ms(&j, "withheld_ms", shot, shot->receipt_ns);
    put_text(&j, "why", shot->why);
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
}
