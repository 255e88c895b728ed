/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang verify: checks a bundle link by link. The manifest only says where to look; the
 * chain is made again from the signed segments, and its manifest has to be the one in the
 * bundle, byte by byte. Nothing is unpacked.
 */
#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/utf8.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/archive.h"
#include "console/archive_stamps.h"
#include "console/out.h"
#include "console/prove/bundle.h"
#include "console/prove/cover.h"
#include "console/prove/manifest.h"
#include "console/prove/show.h"
#include "console/unlock.h"

#define REQUEST_MAX ((size_t)16 << 20)

struct verify {
    struct con_bundle *bundle;
    struct con_chain said;  /* as the manifest has it */
    struct con_chain chain; /* as the segments have it */
    struct con_chain_reader reader;
    struct con_segments *segments;
    struct con_archive_keys keys;
    struct con_archive_stamps stamps;
    struct hd_journal_keys *secrets; /* of what is encrypted */
    struct con_prove_view view;
    struct hd_buf manifest;
    json_t *links; /* [{"link","holds","why"}] */
    bool has_failed;
};

/* ---- links ---- */

static const char *say(const struct verify *v, const char *en, const char *vi)
{
    return con_show_say(v->view.show, en, vi);
}

/* `detail` follows the text; "" for none. */
static void link_add(struct verify *v, const char *what, bool holds, const char *text,
                     const char *detail)
{
    char why[512];
    (void)snprintf(why, sizeof(why), "%s%s%s", text, detail[0] != '\0' ? " " : "",
                   detail);
    v->has_failed = v->has_failed || !holds;
    (void)json_array_append_new(v->links, json_pack("{s:s,s:b,s:s}", "link", what,
                                                    "holds", (int)holds, "why", why));
}

/* ---- segments ---- */

static void check_seal_file(struct verify *v, const struct con_segment *segment)
{
    char name[CON_SEGMENT_NAME];
    struct hd_buf text;
    con_segment_name(segment, "seal", name);
    const struct con_bundle_member *member = con_bundle_find(v->bundle, name);
    hd_buf_init(&text, HD_SEAL_MAX);
    bool is_same = member != NULL &&
                   con_bundle_read(v->bundle, member, HD_SEAL_MAX, &text) == HD_OK &&
                   hd_slice_eq(hd_buf_slice(&text), hd_slice_str(segment->seal));
    hd_buf_fini(&text);
    if (!is_same) {
        link_add(v, name, false,
                 say(v, "it is not the statement in its segment",
                     "không phải lời niêm phong trong đoạn của nó"),
                 "");
    }
}

static int read_member(const struct verify *v, const struct con_segment *segment,
                       const char *end, size_t max, struct hd_buf *out)
{
    char name[CON_SEGMENT_NAME];
    con_segment_name(segment, end, name);
    const struct con_bundle_member *member = con_bundle_find(v->bundle, name);
    return member == NULL ? HD_ENOENT : con_bundle_read(v->bundle, member, max, out);
}

static const char *stamp_says(const struct verify *v, bool is_own)
{
    if (v->stamps.ca == NULL) {
        return say(v, "a time stamp, not checked (--tsa-ca); it says",
                   "dấu thời gian, chưa kiểm tra (--tsa-ca); ghi là");
    }
    return is_own
               ? say(v, "the authority saw its seal at", "cơ quan đã thấy niêm phong lúc")
               : say(v, "the authority saw a later seal of its chain at",
                     "cơ quan đã thấy niêm phong sau nó trong chuỗi lúc");
}

/* Without the authority's certificate it is only shown. */
static void check_stamp_of(struct verify *v, const struct con_segment *segment,
                           const uint8_t digest[HD_SHA256_LEN])
{
    char name[CON_SEGMENT_NAME], why[HD_STAMP_WHY] = "";
    struct hd_buf text;
    int64_t time_ns = 0;
    int err = v->stamps.ca != NULL
                  ? hd_stamp_verify(v->stamps.ca, digest, hd_buf_slice(&segment->stamp),
                                    &time_ns, why)
                  : hd_stamp_time(hd_buf_slice(&segment->stamp), &time_ns);
    con_segment_name(segment, "tsr", name);
    hd_buf_init(&text, 0);
    if (err == HD_OK) {
        con_show_time(v->view.show, time_ns, &text);
    }
    link_add(v, name, err == HD_OK,
             err == HD_OK     ? stamp_says(v, segment->chain.len == 0)
             : why[0] != '\0' ? why
                              : hd_err_text(err),
             hd_buf_cstr(&text));
    hd_buf_fini(&text);
}

/* A stamp is of the segment's statement, or of the last one in the chain beside. */
static void check_stamp(struct verify *v, struct con_segment *segment)
{
    char name[CON_SEGMENT_NAME], file[32];
    uint8_t digest[HD_SHA256_LEN];
    uint64_t last = 0;
    int chain = read_member(v, segment, "chain", CON_COVER_MAX, &segment->chain);
    int stamp = read_member(v, segment, "tsr", HD_STAMP_MAX, &segment->stamp);
    chain = chain == HD_OK && segment->chain.len == 0 ? HD_ECORRUPT : chain;
    chain = chain == HD_OK ? con_cover_digest(segment, digest, &last) : chain;
    if (chain != HD_ENOENT) {
        con_segment_name(segment, "chain", name);
        (void)snprintf(file, sizeof(file), "%020" PRIu64 ".zst", last);
        link_add(v, name, chain == HD_OK,
                 chain == HD_OK ? say(v, "the seals that follow it, up to that of",
                                      "các niêm phong nối tiếp nó, đến của")
                                : say(v, "the seals in it do not follow this segment",
                                      "các niêm phong trong đó không nối tiếp đoạn này"),
                 chain == HD_OK ? file : "");
    }
    if (stamp == HD_OK) {
        check_stamp_of(v, segment,
                       chain == HD_OK ? digest : segment->state.statement_sha256);
    } else if (stamp != HD_ENOENT || chain != HD_ENOENT) {
        con_segment_name(segment, "tsr", name);
        link_add(v, name, false,
                 say(v, "there is no time stamp", "không có dấu thời gian"), "");
    }
}

static const char *segment_says(const struct verify *v, const struct con_segment *segment)
{
    if (segment->problem[0] != '\0') {
        return segment->problem;
    }
    if (!segment->state.is_sealed) {
        return say(v, "it is not sealed", "chưa được niêm phong");
    }
    if (!segment->state.is_stated) {
        return say(v, "it is sealed without a signature", "niêm phong không có chữ ký");
    }
    return segment->is_key_known
               ? say(v, "hash and signature hold", "mã băm và chữ ký đúng")
               : say(v, "it is signed with a key that was not given",
                     "ký bằng khóa không được chỉ ra");
}

static void check_segment(struct verify *v, struct con_segment *segment)
{
    char name[CON_SEGMENT_NAME];
    con_segment_name(segment, "zst", name);
    const struct con_bundle_member *member = con_bundle_find(v->bundle, name);
    if (member == NULL) {
        link_add(v, name, false, say(v, "it is not in the bundle", "không có trong gói"),
                 "");
        return;
    }
    segment->part = (struct hd_journal_part){
        .fd = v->bundle->fd, .offset = member->offset, .bytes = member->bytes};
    int err = con_segment_check(segment, v->keys.key, v->keys.n, true);
    bool holds = err == HD_OK && con_segment_is_vouched(segment);
    link_add(v, name, holds, err != HD_OK ? hd_err_text(err) : segment_says(v, segment),
             "");
    if (segment->seal[0] != '\0') {
        check_seal_file(v, segment);
        check_stamp(v, segment);
    }
    if (con_segment_describe(segment, v->chain.segments) != HD_OK) {
        v->has_failed = true;
    }
}

/* ---- entries ---- */

/* Reads what the manifest says lies here into the chain. */
static int take(struct verify *v, enum con_chain_journal journal, const json_t *said,
                const struct hd_journal_entry *entry)
{
    const struct con_chain_place place = {con_chain_number(said, "segment"),
                                          con_chain_number(said, "entry"),
                                          con_chain_number(said, "offset")};
    json_t *into = v->chain.entries[journal];
    json_t *object = NULL;
    int err = HD_ECORRUPT;
    if (entry->index != place.entry) {
        return HD_ECORRUPT;
    }
    if (journal == CON_CHAIN_ARCHIVE) {
        const struct con_chain_wanted wanted = {.seq = con_chain_number(said, "seq")};
        return wanted.seq == 0
                   ? HD_ECORRUPT
                   : con_chain_add_events(&v->reader, entry, &place, &wanted, into);
    }
    err = journal == CON_CHAIN_ALERTS
              ? con_chain_alert(&v->reader, entry, &place, &object)
              : con_chain_receipt(&v->reader, entry, &place, &object);
    if (err != HD_OK) {
        return err;
    }
    return json_array_append_new(into, object) == 0 ? HD_OK : HD_ENOMEM;
}

static void check_entry(struct verify *v, enum con_chain_journal journal,
                        const json_t *said)
{
    char name[CON_SEGMENT_NAME], what[128];
    struct hd_journal_entry entry;
    struct hd_buf room;
    const struct con_segment *segment =
        con_segments_find(v->segments, journal, con_chain_number(said, "segment"));
    if (segment == NULL || segment->part.fd < 0) {
        return; /* told already */
    }
    char why[CON_UNLOCK_WHY];
    struct hd_journal_part part = segment->part;
    part.keys = v->secrets;
    hd_buf_init(&room, HD_JOURNAL_META_MAX + HD_JOURNAL_PAYLOAD_MAX);
    int err =
        hd_journal_part_entry(&part, con_chain_number(said, "offset"), &room, &entry);
    err = err == HD_OK ? take(v, journal, said, &entry) : err;
    hd_buf_fini(&room);
    if (err != HD_OK) {
        con_segment_name(segment, "zst", name);
        (void)snprintf(what, sizeof(what), "%s entry %" PRIu64, name,
                       con_chain_number(said, "entry"));
        link_add(v, what, false,
                 say(v, "what the manifest says is not there:",
                     "không có điều mà bản kê nói:"),
                 con_unlock_text(err, &part.missing, why));
    }
}

static void check_entries(struct verify *v)
{
    const json_t *said = NULL;
    size_t i = 0;
    for (unsigned j = 0; j < CON_CHAIN_JOURNALS; j++) {
        json_array_foreach(v->said.entries[j], i, said)
        {
            check_entry(v, (enum con_chain_journal)j, said);
        }
    }
}

/* ---- what refers to what ---- */

static bool is_about(const struct verify *v, const char *kind)
{
    return strcmp(con_chain_text(v->said.subject, "kind"), kind) == 0;
}

/* An event and an alert that names it as evidence. */
static void check_evidence(struct verify *v, const char *id, const json_t *event,
                           const json_t *alert, const json_t *line)
{
    bool is_same =
        strcmp(con_chain_text(line, "sha256"), con_chain_text(event, "line_sha256")) == 0;
    link_add(v, id, is_same,
             is_same ? say(v, "its SHA-256 is in the evidence of alert",
                           "SHA-256 của nó nằm trong chứng cứ của cảnh báo")
                     : say(v, "another SHA-256 is in the evidence of alert",
                           "SHA-256 khác nằm trong chứng cứ của cảnh báo"),
             con_chain_text(alert, "id"));
}

static void check_event(struct verify *v, const json_t *event)
{
    struct hd_buf id;
    const json_t *alert = NULL;
    size_t i = 0, n = 0;
    hd_buf_init(&id, 0);
    con_chain_event_id(event, &id);
    link_add(v, hd_buf_cstr(&id), true,
             say(v, "its line is in the archive", "dòng của nó có trong kho lưu"), "");
    json_array_foreach(v->chain.entries[CON_CHAIN_ALERTS], i, alert)
    {
        const json_t *line = con_chain_evidence(alert, event);
        if (line != NULL) {
            check_evidence(v, hd_buf_cstr(&id), event, alert, line);
            n++;
        }
    }
    if (n == 0 && is_about(v, "alert")) {
        link_add(v, hd_buf_cstr(&id), false,
                 say(v, "no alert here has it as evidence",
                     "không cảnh báo nào ở đây dùng nó làm chứng cứ"),
                 "");
    }
    hd_buf_fini(&id);
}

/* A proof of an event or a line has alerts only because of it. */
static void check_alert(struct verify *v, const json_t *alert)
{
    const json_t *event = NULL;
    size_t i = 0, n = 0;
    json_array_foreach(v->chain.entries[CON_CHAIN_ARCHIVE], i, event)
    {
        n += con_chain_evidence(alert, event) != NULL;
    }
    if (n == 0 && !is_about(v, "alert")) {
        link_add(v, con_chain_text(alert, "id"), false,
                 say(v, "its evidence is not in the bundle",
                     "chứng cứ của nó không có trong gói"),
                 "");
    }
}

/* An alert of the chain with this id, at this entry (0: at any). */
static bool has_alert(const struct verify *v, const char *id, uint64_t entry)
{
    const json_t *alert = NULL;
    size_t i = 0;
    json_array_foreach(v->chain.entries[CON_CHAIN_ALERTS], i, alert)
    {
        if (strcmp(con_chain_text(alert, "id"), id) == 0 &&
            (entry == 0 || con_chain_number(alert, "entry") == entry)) {
            return true;
        }
    }
    return false;
}

static void check_receipt(struct verify *v, const json_t *receipt)
{
    char what[512];
    bool is_of = has_alert(v, con_chain_text(receipt, "alert"),
                           con_chain_number(receipt, "index"));
    (void)snprintf(what, sizeof(what), "receipt of %s",
                   con_chain_text(receipt, "destination"));
    link_add(v, what, is_of,
             is_of ? say(v, "it is that of alert", "là của cảnh báo")
                   : say(v, "the bundle does not have its alert",
                         "trong gói không có cảnh báo"),
             con_chain_text(receipt, "alert"));
}

/* The bundle is about what it says to be about. */
static bool is_subject(const struct verify *v)
{
    const char *id = con_chain_text(v->said.subject, "id");
    const json_t *event = NULL;
    size_t i = 0, n = 0;
    bool is_line = is_about(v, "line");
    struct hd_buf text;
    if (is_about(v, "alert")) {
        return has_alert(v, id, 0);
    }
    hd_buf_init(&text, 0);
    json_array_foreach(v->chain.entries[CON_CHAIN_ARCHIVE], i, event)
    {
        hd_buf_clear(&text);
        con_chain_event_id(event, &text);
        n += strcmp(is_line ? con_chain_text(event, "line_sha256") : hd_buf_cstr(&text),
                    id) == 0;
    }
    hd_buf_fini(&text);
    return n > 0 && n == i && (is_line || is_about(v, "event"));
}

static void check_references(struct verify *v)
{
    const json_t *object = NULL;
    size_t i = 0;
    json_array_foreach(v->chain.entries[CON_CHAIN_ARCHIVE], i, object)
    {
        check_event(v, object);
    }
    json_array_foreach(v->chain.entries[CON_CHAIN_ALERTS], i, object)
    {
        check_alert(v, object);
    }
    json_array_foreach(v->chain.entries[CON_CHAIN_RECEIPTS], i, object)
    {
        check_receipt(v, object);
    }
    bool holds = is_subject(v);
    link_add(v, "subject", holds,
             holds ? say(v, "the bundle proves what it is about",
                         "gói chứng minh đúng điều nó nói")
                   : say(v, "the bundle does not have what it is about",
                         "trong gói không có điều nó nói"),
             con_chain_text(v->said.subject, "id"));
}

/* The body of a message, as its destination has it: a receipt states its SHA-256. */
static void check_request(struct verify *v, const char *path)
{
    uint8_t digest[HD_SHA256_LEN];
    char hex[2 * HD_SHA256_LEN + 1];
    struct hd_buf body, text = hd_buf_fixed(hex, sizeof(hex));
    const json_t *receipt = NULL, *of = NULL;
    size_t i = 0;
    hd_buf_init(&body, 0);
    int err = hd_fs_read(path, REQUEST_MAX, &body);
    err = err == HD_OK ? hd_sha256(hd_buf_slice(&body), digest) : err;
    hd_buf_fini(&body);
    if (err != HD_OK) {
        link_add(v, path, false, hd_err_text(err), "");
        return;
    }
    hd_buf_hex(&text, hd_slice(digest, sizeof(digest)));
    json_array_foreach(v->chain.entries[CON_CHAIN_RECEIPTS], i, receipt)
    {
        bool is_it =
            strcmp(con_chain_text(receipt, "request_sha256"), hd_buf_cstr(&text)) == 0;
        of = is_it ? receipt : of;
    }
    link_add(v, path, of != NULL,
             of != NULL ? say(v, "its SHA-256 is in the receipt of",
                              "SHA-256 của nó nằm trong biên nhận của")
                        : say(v, "no receipt has its SHA-256",
                              "không biên nhận nào có SHA-256 của nó"),
             of != NULL ? con_chain_text(of, "destination") : "");
}

/* The manifest is what the segments say, and there is no file besides. */
static int check_manifest(struct verify *v)
{
    struct hd_buf again;
    hd_buf_init(&again, 0);
    size_t files = 1 + v->segments->n;
    for (size_t i = 0; i < v->segments->n; i++) {
        files += v->segments->item[i].seal[0] != '\0';
        files += v->segments->item[i].stamp.len > 0;
        files += v->segments->item[i].chain.len > 0;
    }
    json_decref(v->chain.subject);
    v->chain.subject = json_incref(v->said.subject);
    int err = con_chain_manifest(&v->chain, &again);
    if (err == HD_OK) {
        bool is_same = hd_slice_eq(hd_buf_slice(&again), hd_buf_slice(&v->manifest));
        link_add(
            v, CON_MANIFEST_NAME, is_same,
            is_same
                ? say(v, "it says what the segments say", "nói đúng như các đoạn")
                : say(v, "it is not what the segments say", "không đúng như các đoạn"),
            "");
        if (files != v->bundle->n) {
            link_add(v, "bundle", false,
                     say(v, "there are files in it that belong to nothing",
                         "trong gói có tệp không thuộc về đâu"),
                     "");
        }
    }
    hd_buf_fini(&again);
    return err;
}

/* ---- the command ---- */

static int load_manifest(struct verify *v, char why[CON_BUNDLE_WHY])
{
    const struct con_bundle_member *member =
        con_bundle_find(v->bundle, CON_MANIFEST_NAME);
    if (member == NULL || member != &v->bundle->member[0]) {
        (void)snprintf(why, CON_BUNDLE_WHY, "it does not begin with " CON_MANIFEST_NAME);
        return HD_ECORRUPT;
    }
    int err = con_bundle_read(v->bundle, member, CON_MANIFEST_MAX, &v->manifest);
    if (err == HD_ELIMIT) {
        (void)snprintf(why, CON_BUNDLE_WHY, CON_MANIFEST_NAME " is too large");
        return HD_ECORRUPT;
    }
    return err == HD_OK ? con_manifest_parse(hd_buf_slice(&v->manifest), &v->said, why)
                        : err;
}

static int check_all(struct verify *v, int fd, const char *request)
{
    char why[CON_BUNDLE_WHY] = "";
    int err = con_bundle_index(fd, v->bundle, why);
    err = err == HD_OK ? load_manifest(v, why) : err;
    if (err == HD_ECORRUPT) {
        link_add(v, "bundle", false, why, "");
        return HD_OK;
    }
    if (err != HD_OK) {
        return err;
    }
    con_segments_of(v->segments, &v->said);
    for (size_t i = 0; i < v->segments->n; i++) {
        check_segment(v, &v->segments->item[i]);
    }
    check_entries(v);
    check_references(v);
    if (request != NULL) {
        check_request(v, request);
    }
    return check_manifest(v);
}

static void show_links(const struct verify *v, struct hd_buf *out)
{
    const struct con_show *show = v->view.show;
    const json_t *link = NULL;
    size_t i = 0;
    json_array_foreach(v->links, i, link)
    {
        bool holds = json_is_true(json_object_get(link, "holds"));
        hd_buf_str(out, holds ? con_show_say(show, "ok     ", "đúng   ")
                              : con_show_say(show, "FAILS  ", "SAI    "));
        hd_utf8_escape(out, hd_slice_str(con_chain_text(link, "link")));
        hd_buf_str(out, ": ");
        hd_utf8_escape(out, hd_slice_str(con_chain_text(link, "why")));
        hd_buf_byte(out, '\n');
    }
    hd_buf_byte(out, '\n');
    if (v->has_failed) {
        hd_buf_str(out, con_show_say(show, "This bundle does NOT hold.\n",
                                     "Gói chứng cứ này KHÔNG đúng.\n"));
        return;
    }
    con_prove_text(&v->view, out);
    hd_buf_str(
        out, con_show_say(show, "\nThis bundle holds.\n", "\nGói chứng cứ này đúng.\n"));
}

static void show_json(const struct verify *v, struct hd_buf *out)
{
    json_t *whole = json_pack("{s:b,s:O,s:O}", "holds", (int)!v->has_failed, "subject",
                              v->said.subject, "links", v->links);
    char *text = json_dumps(whole, JSON_COMPACT);
    hd_buf_str(out, text != NULL ? text : "");
    hd_buf_byte(out, '\n');
    free(text);
    json_decref(whole);
}

static int run(struct verify *v, const struct con_args *args)
{
    struct hd_buf out;
    const char *path = args->operands[0];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return con_fail(HD_EXIT_STORE, "%s cannot be read: %s", path,
                        hd_err_text(hd_err_from_errno(errno)));
    }
    int err = check_all(v, fd, con_args_value(args, "request"));
    (void)close(fd);
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE, "%s: %s", path, hd_err_text(err));
    }
    hd_buf_init(&out, 0);
    if (con_args_flag(args, "json")) {
        show_json(v, &out);
    } else {
        show_links(v, &out);
    }
    int code = con_out_print(&out);
    hd_buf_fini(&out);
    return code == HD_EXIT_OK && v->has_failed ? HD_EXIT_RUNTIME : code;
}

static int verify_init(struct verify *v, const struct con_show *show)
{
    *v = (struct verify){.bundle = calloc(1, sizeof(*v->bundle)),
                         .segments = calloc(1, sizeof(*v->segments)),
                         .links = json_array()};
    hd_buf_init(&v->manifest, CON_MANIFEST_MAX);
    v->view = (struct con_prove_view){
        .show = show, .chain = &v->chain, .segments = v->segments};
    int err = con_chain_init(&v->said);
    err = err == HD_OK ? con_chain_init(&v->chain) : err;
    err = err == HD_OK ? con_chain_reader_init(&v->reader) : err;
    return v->bundle != NULL && v->segments != NULL && v->links != NULL ? err : HD_ENOMEM;
}

static void verify_fini(struct verify *v)
{
    free(v->bundle);
    con_segments_free(v->segments);
    con_archive_stamps_close(&v->stamps);
    json_decref(v->links);
    hd_buf_fini(&v->manifest);
    con_chain_fini(&v->said);
    con_chain_fini(&v->chain);
    con_chain_reader_fini(&v->reader);
    con_archive_keys_free(&v->keys);
    hd_journal_keys_free(v->secrets);
}

int con_run_verify(const struct con_args *args)
{
    struct con_show show;
    struct verify v;
    if (con_show_init(&show, args) != HD_OK) {
        con_show_fini(&show);
        return HD_EXIT_USAGE;
    }
    int code = verify_init(&v, &show) == HD_OK
                   ? con_archive_stamps_open(&v.stamps, args)
                   : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    code = code == HD_EXIT_OK ? con_archive_keys_load(&v.keys, args) : code;
    if (code == HD_EXIT_OK && v.keys.n == 0) {
        code = con_fail(HD_EXIT_USAGE, "verify: --key is missing: the public keys of the "
                                       "nodes whose segments are in the bundle");
    }
    code = code == HD_EXIT_OK ? con_unlock(args, &v.secrets) : code;
    code = code == HD_EXIT_OK ? run(&v, args) : code;
    verify_fini(&v);
    con_show_fini(&show);
    return code;
}
