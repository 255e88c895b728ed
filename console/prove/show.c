/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/show.h"

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/utf8.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "console/prove/cover.h"

#define LABEL_WIDTH 12U
#define KEY_SHOWN   8 /* bytes of a key's id */

struct page {
    const struct con_prove_view *view;
    struct hd_buf *out;
};

static const char *say(const struct page *p, const char *en, const char *vi)
{
    return con_show_say(p->view->show, en, vi);
}

static void label(const struct page *p, const char *en, const char *vi)
{
    const char *text = say(p, en, vi);
    hd_buf_str(p->out, "  ");
    hd_buf_str(p->out, text);
    for (size_t w = hd_utf8_width(hd_slice_str(text)); w < LABEL_WIDTH; w++) {
        hd_buf_byte(p->out, ' ');
    }
}

static void more(const struct page *p)
{
    hd_buf_str(p->out, "\n");
    label(p, "", "");
}

/* Text of strangers, harmless. */
static void text(const struct page *p, const json_t *object, const char *name)
{
    hd_utf8_escape(p->out, hd_slice_str(con_chain_text(object, name)));
}

static void number(const struct page *p, const json_t *object, const char *name)
{
    hd_buf_u64(p->out, con_chain_number(object, name));
}

static void time_of(const struct page *p, const json_t *object, const char *name)
{
    int64_t ns = 0;
    const char *rfc3339 = con_chain_text(object, name);
    if (hd_clock_parse_rfc3339(hd_slice_str(rfc3339), &ns) == HD_OK) {
        con_show_time(p->view->show, ns, p->out);
    } else {
        text(p, object, name);
    }
}

/* ---- where it lies ---- */

/* Whose stamp it is, when it is not its own. */
static void put_cover(const struct page *p, const struct con_segment *segment)
{
    uint8_t digest[HD_SHA256_LEN];
    uint64_t last = 0;
    if (segment->chain.len > 0 && con_cover_digest(segment, digest, &last) == HD_OK) {
        hd_buf_printf(p->out, "%s%020" PRIu64 ".zst",
                      say(p, " on a later seal of its chain, that of ",
                          " trên niêm phong sau nó trong chuỗi, của "),
                      last);
    }
}

void con_prove_seal(const struct con_prove_view *view, const struct con_segment *segment,
                    struct hd_buf *out)
{
    const struct page p = {view, out};
    const struct hd_seal *seal = &segment->state.seal;
    if (segment->problem[0] != '\0') {
        hd_buf_printf(out, "%s: ", say(&p, "DOES NOT HOLD", "KHÔNG ĐÚNG"));
        hd_utf8_escape(out, hd_slice_str(segment->problem));
        return;
    }
    if (!segment->state.is_sealed) {
        hd_buf_str(out,
                   say(&p,
                       "not sealed yet: a segment is sealed at its size or its age "
                       "(segment, segment_age)",
                       "chưa niêm phong: đoạn được niêm phong khi đủ cỡ hoặc đủ tuổi "
                       "(segment, segment_age)"));
        return;
    }
    if (!segment->state.is_stated) {
        hd_buf_str(out, say(&p, "sealed without a signature",
                            "đã niêm phong nhưng không có chữ ký"));
        return;
    }
    hd_buf_str(out, "SHA-256 ");
    hd_buf_hex(out, hd_slice(seal->sha256, HD_SHA256_LEN));
    more(&p);
    hd_buf_str(out, say(&p, "signed ", "ký lúc "));
    con_show_time(view->show, seal->sealed, out);
    hd_buf_str(out, say(&p, " with key ", " bằng khóa "));
    hd_buf_hex(out, hd_slice(seal->key_id, KEY_SHOWN));
    hd_buf_str(out, "...: ");
    hd_buf_str(out, segment->is_key_known
                        ? say(&p, "the signature holds", "chữ ký đúng")
                        : say(&p, "not checked, give its public half with --key",
                              "chưa kiểm tra, hãy chỉ ra khóa công khai bằng --key"));
    if (seal->previous == 0) {
        hd_buf_str(out, say(&p, "; first of its chain", "; đầu chuỗi"));
    } else {
        hd_buf_printf(out, "%s%020" PRIu64 ".zst", say(&p, "; follows ", "; nối tiếp "),
                      seal->previous);
    }
    int64_t stamped_ns = 0;
    if (hd_stamp_time(hd_buf_slice(&segment->stamp), &stamped_ns) == HD_OK) {
        hd_buf_str(out, say(&p, "; time stamp of ", "; dấu thời gian "));
        con_show_time(view->show, stamped_ns, out);
        put_cover(&p, segment);
    }
}

static void place(const struct page *p, enum con_chain_journal journal,
                  const json_t *object)
{
    const struct con_segment *segment = con_segments_find(
        p->view->segments, journal, con_chain_number(object, "segment"));
    char name[CON_SEGMENT_NAME];
    label(p, "stored", "lưu tại");
    if (segment != NULL) {
        con_segment_name(segment, "zst", name);
        hd_buf_str(p->out, name);
    }
    hd_buf_str(p->out, say(p, ", entry ", ", mục "));
    number(p, object, "entry");
    hd_buf_str(p->out, say(p, ", offset ", ", vị trí "));
    number(p, object, "offset");
    hd_buf_byte(p->out, '\n');
    if (segment != NULL) {
        label(p, "seal", "niêm phong");
        con_prove_seal(p->view, segment, p->out);
        hd_buf_byte(p->out, '\n');
    }
}

/* ---- events ---- */

static void show_source(const struct page *p, const json_t *event)
{
    label(p, "host", "máy chủ");
    text(p, event, "host");
    hd_buf_str(p->out, ", ");
    text(p, event, "kind");
    hd_buf_byte(p->out, ' ');
    text(p, event, "source");
    if (con_chain_text(event, "sender")[0] != '\0') {
        hd_buf_str(p->out, say(p, ", sent by ", ", gửi từ "));
        text(p, event, "sender");
    }
    hd_buf_byte(p->out, '\n');
    label(p, "agent", "tác tử");
    text(p, event, "agent");
    hd_buf_str(p->out, ", boot ");
    text(p, event, "boot");
    hd_buf_str(p->out, say(p, ", sequence ", ", số thứ tự "));
    number(p, event, "seq");
    hd_buf_str(p->out, say(p, ", received ", ", nhận lúc "));
    time_of(p, event, "received");
    hd_buf_byte(p->out, '\n');
}

static void show_event(const struct page *p, const json_t *event)
{
    struct hd_buf *out = p->out;
    hd_buf_str(out, say(p, "event ", "sự kiện "));
    text(p, event, "agent");
    hd_buf_byte(out, '/');
    text(p, event, "boot");
    hd_buf_byte(out, '/');
    number(p, event, "seq");
    hd_buf_byte(out, '\n');
    label(p, "line", "dòng");
    text(p, event, "line");
    more(p);
    hd_buf_str(out, "SHA-256 ");
    text(p, event, "line_sha256");
    hd_buf_printf(out, " (%" PRIu64 " %s)\n", con_chain_number(event, "line_bytes"),
                  say(p, "bytes", "byte"));
    show_source(p, event);
    label(p, "batch", "lô");
    hd_buf_str(out, say(p, "sequences ", "số thứ tự "));
    number(p, event, "batch_first");
    hd_buf_str(out, say(p, " to ", " đến "));
    number(p, event, "batch_last");
    hd_buf_str(out, say(p, ", taken ", ", tiếp nhận lúc "));
    time_of(p, event, "taken");
    hd_buf_str(out, say(p, " from ", " từ "));
    text(p, event, "peer");
    more(p);
    hd_buf_str(out, "SHA-256 ");
    text(p, event, "batch_sha256");
    hd_buf_byte(out, '\n');
    place(p, CON_CHAIN_ARCHIVE, event);
}

/* ---- receipts ---- */

static const char *outcome(const struct page *p, const json_t *receipt)
{
    static const struct {
        const char *name, *en, *vi;
    } words[] = {
        {"delivered", "delivered", "đã chuyển"},
        {"dead", "DEAD LETTER, never to be sent again",
         "KHÔNG CHUYỂN ĐƯỢC, không gửi lại"},
        {"begun", "sent, no answer recorded yet", "đã gửi, chưa ghi nhận trả lời"},
        {"retry", "not taken yet, to be sent again", "chưa được nhận, sẽ gửi lại"},
        {"withheld", "a test, withheld", "thử nghiệm, không gửi đi"},
        {"stopped", "refused, a person must look", "bị từ chối, cần người xử lý"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].name, con_chain_text(receipt, "outcome")) == 0) {
            return say(p, words[i].en, words[i].vi);
        }
    }
    return "?";
}

static void show_request(const struct page *p, const json_t *receipt)
{
    more(p);
    text(p, receipt, "profile");
    hd_buf_str(p->out, say(p, ", schema SHA-256 ", ", SHA-256 của lược đồ "));
    text(p, receipt, "schema_sha256");
    if (con_chain_text(receipt, "request_sha256")[0] != '\0') {
        more(p);
        hd_buf_str(p->out, say(p, "request SHA-256 ", "SHA-256 của yêu cầu "));
        text(p, receipt, "request_sha256");
        hd_buf_printf(p->out, " (%" PRIu64 " %s)",
                      con_chain_number(receipt, "request_bytes"),
                      say(p, "bytes", "byte"));
    }
    if (con_chain_text(receipt, "reason")[0] != '\0') {
        more(p);
        hd_buf_str(p->out, say(p, "because: ", "vì: "));
        text(p, receipt, "reason");
    }
}

static void show_receipt(const struct page *p, const json_t *receipt)
{
    label(p, "receipt", "biên nhận");
    text(p, receipt, "destination");
    hd_buf_printf(p->out, ": %s, ", outcome(p, receipt));
    time_of(p, receipt, "time");
    hd_buf_str(p->out, say(p, ", attempt ", ", lần gửi "));
    number(p, receipt, "attempt");
    if (json_object_get(receipt, "status") != NULL) {
        hd_buf_str(p->out, ", HTTP ");
        number(p, receipt, "status");
        hd_buf_byte(p->out, ' ');
        text(p, receipt, "response");
    }
    show_request(p, receipt);
    hd_buf_byte(p->out, '\n');
    place(p, CON_CHAIN_RECEIPTS, receipt);
}

static size_t show_receipts(const struct page *p, const json_t *alert)
{
    const json_t *receipt = NULL;
    size_t i = 0, n = 0;
    json_array_foreach(p->view->chain->entries[CON_CHAIN_RECEIPTS], i, receipt)
    {
        if (con_chain_number(receipt, "index") == con_chain_number(alert, "entry") &&
            strcmp(con_chain_text(receipt, "alert"), con_chain_text(alert, "id")) == 0) {
            show_receipt(p, receipt);
            n++;
        }
    }
    return n;
}

/* ---- alerts ---- */

static size_t count_evidence(const struct page *p, const json_t *alert)
{
    const json_t *event = NULL;
    size_t i = 0, n = 0;
    json_array_foreach(p->view->chain->entries[CON_CHAIN_ARCHIVE], i, event)
    {
        n += con_chain_evidence(alert, event) != NULL;
    }
    return n;
}

static void show_alert(const struct page *p, const json_t *alert)
{
    const char *title_vi = con_chain_text(alert, "title_vi");
    bool is_vi = p->view->show->is_vietnamese && title_vi[0] != '\0';
    hd_buf_str(p->out, say(p, "alert ", "cảnh báo "));
    text(p, alert, "id");
    hd_buf_byte(p->out, '\n');
    label(p, "rule", "luật");
    text(p, alert, is_vi ? "title_vi" : "title");
    hd_buf_str(p->out, " (");
    text(p, alert, "rule");
    hd_buf_str(p->out, say(p, "), published ", "), công bố lúc "));
    time_of(p, alert, "published");
    hd_buf_byte(p->out, '\n');
    label(p, "evidence", "chứng cứ");
    hd_buf_printf(p->out, "%zu/%zu %s\n", count_evidence(p, alert),
                  json_array_size(json_object_get(alert, "evidence")),
                  say(p, "of its lines are here", "dòng có ở đây"));
    place(p, CON_CHAIN_ALERTS, alert);
    if (show_receipts(p, alert) == 0 && p->view->unread[CON_CHAIN_RECEIPTS] == NULL) {
        label(p, "receipt", "biên nhận");
        hd_buf_str(p->out, say(p, "none: the forwarder has not sent this alert yet\n",
                               "không có: bộ chuyển tiếp chưa gửi cảnh báo này\n"));
    }
}

/* ---- all ---- */

static void show_unread(const struct page *p)
{
    for (int i = 0; i < CON_CHAIN_JOURNALS; i++) {
        if (p->view->unread[i] != NULL) {
            hd_buf_printf(p->out, "%s: %s: %s\n",
                          con_chain_journal_name((enum con_chain_journal)i),
                          say(p, "not looked at", "không đọc được"), p->view->unread[i]);
        }
    }
    if (p->view->has_more) {
        hd_buf_str(p->out, say(p, "there is more than is shown here\n",
                               "còn nhiều hơn những gì hiển thị ở đây\n"));
    }
}

void con_prove_text(const struct con_prove_view *view, struct hd_buf *out)
{
    const struct page p = {view, out};
    const json_t *object = NULL;
    size_t i = 0;
    json_array_foreach(view->chain->entries[CON_CHAIN_ARCHIVE], i, object)
    {
        show_event(&p, object);
    }
    json_array_foreach(view->chain->entries[CON_CHAIN_ALERTS], i, object)
    {
        show_alert(&p, object);
    }
    if (json_array_size(view->chain->entries[CON_CHAIN_ALERTS]) == 0 &&
        view->unread[CON_CHAIN_ALERTS] == NULL) {
        hd_buf_str(out, say(&p, "no alert has it as evidence\n",
                            "không cảnh báo nào dùng nó làm chứng cứ\n"));
    }
    show_unread(&p);
}

/* ---- JSON ---- */

static const char *state_of(const struct con_segment *segment)
{
    if (segment->problem[0] != '\0') {
        return "wrong";
    }
    if (!segment->state.is_sealed) {
        return "open";
    }
    if (!segment->state.is_stated) {
        return "unsigned";
    }
    return segment->is_key_known ? "holds" : "unknown-key";
}

static json_t *seals(const struct con_segments *segments)
{
    json_t *list = json_array();
    for (size_t i = 0; i < segments->n; i++) {
        const struct con_segment *s = &segments->item[i];
        (void)json_array_append_new(
            list,
            json_pack("{s:s,s:I,s:s,s:s*}", "journal", con_chain_journal_name(s->journal),
                      "segment", (json_int_t)s->first, "state", state_of(s), "why",
                      s->problem[0] != '\0' ? s->problem : NULL));
    }
    return list;
}

int con_prove_json(const struct con_prove_view *view, struct hd_buf *out)
{
    const struct con_chain *chain = view->chain;
    json_t *unread = json_object();
    for (int i = 0; i < CON_CHAIN_JOURNALS; i++) {
        if (view->unread[i] != NULL) {
            (void)json_object_set_new(unread,
                                      con_chain_journal_name((enum con_chain_journal)i),
                                      json_string(view->unread[i]));
        }
    }
    json_t *whole = json_pack("{s:O,s:O,s:O,s:O,s:O,s:o,s:o,s:b}", "subject",
                              chain->subject, "events", chain->entries[CON_CHAIN_ARCHIVE],
                              "alerts", chain->entries[CON_CHAIN_ALERTS], "receipts",
                              chain->entries[CON_CHAIN_RECEIPTS], "segments",
                              chain->segments, "seals", seals(view->segments), "unread",
                              unread, "has_more", (int)view->has_more);
    char *text = whole == NULL ? NULL : json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    if (text == NULL) {
        return HD_ENOMEM;
    }
    hd_buf_str(out, text);
    hd_buf_byte(out, '\n');
    free(text);
    return out->err;
}
