/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang prove: from a line, an event or an alert to everything that is stored about it,
 * and into a bundle that others can check.
 */
#include <haidang/num.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/archive.h"
#include "console/archive_stamps.h"
#include "console/out.h"
#include "console/prove/bundle.h"
#include "console/prove/cover.h"
#include "console/prove/find.h"
#include "console/prove/manifest.h"
#include "console/prove/show.h"
#include "console/unlock.h"
#include "console/when.h"

#define STATE    "/var/lib/haidang/"
#define UUID_LEN 36U
#define TRIES    8U /* segments may be exchanged meanwhile */

struct prove {
    struct con_chain chain;
    struct con_find find;
    struct hd_journal_keys *secrets;
    char why[CON_CHAIN_JOURNALS][CON_UNLOCK_WHY];
    struct con_segments *segments;
    struct con_archive_keys keys;
    struct con_prove_view view;
};

/* ---- what is asked for ---- */

static bool is_uuid(struct hd_slice text)
{
    bool is_fine = text.len == UUID_LEN;
    for (size_t i = 0; is_fine && i < text.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        is_fine = is_dash ? text.ptr[i] == '-' : hd_hex_value(text.ptr[i]) >= 0;
    }
    return is_fine;
}

static size_t last_slash(struct hd_slice text)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '/') {
        at--;
    }
    return at == 0 ? HD_NPOS : at - 1;
}

static json_t *json_slice(struct hd_slice text)
{
    return json_stringn((const char *)text.ptr, text.len);
}

/* AGENT/BOOT/SEQ or AGENT/SEQ as [{"agent","boot","seq"}]; NULL: it is none. */
static json_t *event_wanted(struct hd_slice text)
{
    uint64_t seq = 0;
    size_t at = last_slash(text);
    if (at == HD_NPOS ||
        hd_num_u64(hd_slice_from(text, at + 1), INT64_MAX, &seq) != HD_OK || seq == 0) {
        return NULL;
    }
    struct hd_slice agent = hd_slice_head(text, at), boot = HD_SLICE_EMPTY;
    at = last_slash(agent);
    if (at != HD_NPOS && agent.len - at - 1 == 32 &&
        hd_slice_is_hex(hd_slice_from(agent, at + 1))) {
        boot = hd_slice_from(agent, at + 1);
        agent = hd_slice_head(agent, at);
    }
    if (agent.len == 0 || hd_slice_find_byte(agent, ' ') != HD_NPOS) {
        return NULL;
    }
    return json_pack("[{s:o,s:o,s:I}]", "agent", json_slice(agent), "boot",
                     boot.len == 0 ? json_string("") : json_slice(boot), "seq",
                     (json_int_t)seq);
}

static int set_subject(struct prove *p, const char *kind, const char *id)
{
    int bad = json_object_set_new(p->chain.subject, "kind", json_string(kind));
    bad |= json_object_set_new(p->chain.subject, "id", json_string(id));
    return bad == 0 ? HD_OK : HD_ENOMEM;
}

/* ---- finding ---- */

static json_t *events(const struct prove *p)
{
    return p->chain.entries[CON_CHAIN_ARCHIVE];
}

static int find_event(struct prove *p, const json_t *wanted)
{
    struct hd_buf id;
    const char *only = con_chain_text(json_array_get(wanted, 0), "boot");
    int err = con_find_events(&p->find, wanted);
    if (err != HD_OK || json_array_size(events(p)) == 0) {
        return err;
    }
    hd_buf_init(&id, 0);
    for (size_t i = 0; i < json_array_size(events(p)); i++) {
        hd_buf_clear(&id);
        con_chain_event_id(json_array_get(events(p), i), &id);
        if (only[0] == '\0' && json_array_size(events(p)) > 1) {
            (void)con_fail(0, "%s", hd_buf_cstr(&id));
        }
    }
    if (only[0] == '\0' && json_array_size(events(p)) > 1) {
        err = con_fail(HD_EINVAL, "several boots have this sequence; name one of these");
    } else {
        err = set_subject(p, "event", hd_buf_cstr(&id));
    }
    hd_buf_fini(&id);
    return err;
}

/* `text` is a line, or the SHA-256 of one. */
static int find_line(struct prove *p, const char *text)
{
    struct hd_slice line = hd_slice_str(text);
    uint8_t digest[HD_SHA256_LEN];
    char hex[2 * HD_SHA256_LEN + 1];
    struct hd_buf id = hd_buf_fixed(hex, sizeof(hex));
    bool is_hash =
        hd_slice_is_hex(line) && hd_num_hex_bytes(line, digest, sizeof(digest)) == HD_OK;
    int err = is_hash ? HD_OK : hd_sha256(line, digest);
    hd_buf_hex(&id, hd_slice(digest, sizeof(digest)));
    err = err == HD_OK ? set_subject(p, "line", hd_buf_cstr(&id)) : err;
    return err == HD_OK ? con_find_line(&p->find, is_hash ? HD_SLICE_EMPTY : line, digest)
                        : err;
}

/* The events that the alerts name as their evidence. */
static int find_evidence(struct prove *p)
{
    const json_t *alert = NULL, *line = NULL;
    size_t i = 0, k = 0;
    json_t *wanted = json_array();
    json_array_foreach(p->chain.entries[CON_CHAIN_ALERTS], i, alert)
    {
        json_array_foreach(json_object_get(alert, "evidence"), k, line)
        {
            if (json_array_append(wanted, (json_t *)(uintptr_t)line) != 0) {
                json_decref(wanted);
                return HD_ENOMEM;
            }
        }
    }
    int err = con_find_events(&p->find, wanted);
    json_decref(wanted);
    return err;
}

/* A journal that cannot be read ends the chain there; it is told, and the rest is shown.
 */
static int or_unread(struct prove *p, enum con_chain_journal journal, int err)
{
    if (err == HD_ENOENT || err == HD_EACCES || err == HD_ENOKEY) {
        p->view.unread[journal] = con_unlock_text(err, &p->find.missing, p->why[journal]);
        err = HD_OK;
    }
    return err;
}

static int find_alert(struct prove *p, const char *id)
{
    int err = set_subject(p, "alert", id);
    err = err == HD_OK ? con_find_alert(&p->find, id) : err;
    if (err == HD_OK && json_array_size(p->chain.entries[CON_CHAIN_ALERTS]) > 0) {
        err = or_unread(p, CON_CHAIN_ARCHIVE, find_evidence(p));
    }
    return err;
}

static int find_all(struct prove *p, const char *what)
{
    struct hd_slice text = hd_slice_str(what);
    json_t *wanted = event_wanted(text);
    int err = is_uuid(text)    ? find_alert(p, what)
              : wanted != NULL ? find_event(p, wanted)
                               : find_line(p, what);
    json_decref(wanted);
    if (err == HD_OK && !is_uuid(text) && json_array_size(events(p)) > 0) {
        err = or_unread(p, CON_CHAIN_ALERTS, con_find_alerts(&p->find));
    }
    if (err == HD_OK && json_array_size(p->chain.entries[CON_CHAIN_ALERTS]) > 0) {
        err = or_unread(p, CON_CHAIN_RECEIPTS, con_find_receipts(&p->find));
    }
    p->view.has_more = p->find.has_more;
    return err;
}

/* ---- segments ---- */

static bool is_batch(const json_t *said, struct hd_slice payload)
{
    char storage[2 * HD_SHA256_LEN + 1];
    uint8_t digest[HD_SHA256_LEN];
    struct hd_buf hex = hd_buf_fixed(storage, sizeof(storage));
    const char *sha256 = con_chain_text(said, "batch_sha256");
    if (sha256[0] == '\0') {
        return true; /* no batch */
    }
    bool is_hashed = hd_sha256(payload, digest) == HD_OK;
    hd_buf_hex(&hex, hd_slice(digest, sizeof(digest)));
    return is_hashed && strcmp(hd_buf_cstr(&hex), sha256) == 0;
}

/* HD_EAGAIN: since the chain was read, compaction has put another file there. */
static int check_places(const struct prove *p, struct con_segment *segment)
{
    const json_t *said = NULL;
    size_t i = 0;
    int err = HD_OK;
    struct hd_buf room;
    hd_buf_init(&room, 0);
    segment->part.keys = p->secrets;
    json_array_foreach(p->chain.entries[segment->journal], i, said)
    {
        struct hd_journal_entry entry = {.index = 0};
        if (err == HD_OK && con_chain_number(said, "segment") == segment->first) {
            err = hd_journal_part_entry(&segment->part, con_chain_number(said, "offset"),
                                        &room, &entry);
            bool is_same = err == HD_OK &&
                           entry.index == con_chain_number(said, "entry") &&
                           is_batch(said, entry.payload);
            err = err == HD_ECORRUPT || (err == HD_OK && !is_same) ? HD_EAGAIN : err;
        }
    }
    hd_buf_fini(&room);
    return err;
}

static int open_segment(struct prove *p, struct con_segment *segment)
{
    const char *dir = p->find.dir[segment->journal];
    struct hd_journal_segments list;
    struct stat st;
    char path[4096];
    int err = hd_journal_list(dir, &list);
    if (err != HD_OK) {
        return err;
    }
    bool is_last = list.n > 0 && list.first[list.n - 1] == segment->first;
    uint64_t durable = is_last ? list.durable : 0;
    free(list.first);
    err = hd_journal_segment_path(dir, segment->first, path, sizeof(path));
    segment->part.fd = err == HD_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (err == HD_OK && (segment->part.fd < 0 || fstat(segment->part.fd, &st) != 0)) {
        err = hd_err_from_errno(errno);
    }
    if (err != HD_OK) {
        return err == HD_ENOENT ? HD_EAGAIN : err; /* retention took it */
    }
    segment->part.bytes = durable > 0 ? durable : (uint64_t)st.st_size;
    err = con_segment_check(segment, p->keys.key, p->keys.n, is_last);
    if (err == HD_OK && segment->state.has_header) { /* else it is damaged */
        err = check_places(p, segment);
    }
    if (err == HD_OK && segment->state.is_stated) {
        err = con_archive_stamp_read(dir, segment->first, &segment->stamp);
        err = err == HD_ENOENT ? con_cover_find(dir, segment) : err;
    }
    return err;
}

static int check_segments(struct prove *p)
{
    int err = HD_OK;
    con_segments_of(p->segments, &p->chain);
    for (size_t i = 0; err == HD_OK && i < p->segments->n; i++) {
        err = open_segment(p, &p->segments->item[i]);
        err = err == HD_OK
                  ? con_segment_describe(&p->segments->item[i], p->chain.segments)
                  : err;
    }
    return err;
}

static void close_segments(struct prove *p)
{
    for (size_t i = 0; i < p->segments->n; i++) {
        if (p->segments->item[i].part.fd >= 0) {
            (void)close(p->segments->item[i].part.fd);
        }
    }
    con_segments_clear(p->segments);
}

/* What was found, so that it can be sought anew. */
static int forget(struct prove *p)
{
    close_segments(p);
    con_chain_fini(&p->chain);
    p->find.looked_at = p->find.unreadable = 0;
    p->find.has_more = false;
    for (unsigned i = 0; i < CON_CHAIN_JOURNALS; i++) {
        p->view.unread[i] = NULL;
    }
    return con_chain_init(&p->chain);
}

static bool is_nothing(const struct prove *p)
{
    return json_array_size(events(p)) == 0 &&
           json_array_size(p->chain.entries[CON_CHAIN_ALERTS]) == 0;
}

/* The chain and the segments under it are of the same files. */
static int find_whole(struct prove *p, const char *what)
{
    int err = HD_EAGAIN;
    for (unsigned i = 0; i < TRIES && err == HD_EAGAIN; i++) {
        err = i == 0 ? HD_OK : forget(p);
        err = err == HD_OK ? find_all(p, what) : err;
        err = err == HD_OK && !is_nothing(p) ? check_segments(p) : err;
    }
    return err;
}

/* ---- the bundle ---- */

static int write_bundle(const struct prove *p, const char *path)
{
    struct con_bundle_writer writer;
    char name[CON_SEGMENT_NAME];
    struct hd_buf manifest;
    hd_buf_init(&manifest, 0);
    int err = con_chain_manifest(&p->chain, &manifest);
    err = err == HD_OK ? con_bundle_begin(&writer, path) : err;
    if (err == HD_OK) {
        con_bundle_add(&writer, CON_MANIFEST_NAME, hd_buf_slice(&manifest));
        for (size_t i = 0; i < p->segments->n; i++) {
            const struct con_segment *s = &p->segments->item[i];
            con_segment_name(s, "zst", name);
            con_bundle_add_part(&writer, name, &s->part);
            if (s->seal[0] != '\0') {
                con_segment_name(s, "seal", name);
                con_bundle_add(&writer, name, hd_slice_str(s->seal));
            }
            if (s->chain.len > 0) {
                con_segment_name(s, "chain", name);
                con_bundle_add(&writer, name, hd_buf_slice(&s->chain));
            }
            if (s->stamp.len > 0) {
                con_segment_name(s, "tsr", name);
                con_bundle_add(&writer, name, hd_buf_slice(&s->stamp));
            }
        }
        err = con_bundle_end(&writer);
    }
    hd_buf_fini(&manifest);
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_RUNTIME, "%s cannot be written: %s", path,
                                   hd_err_text(err));
}

static int bundle(const struct prove *p, const char *path)
{
    int code = write_bundle(p, path);
    char name[CON_SEGMENT_NAME];
    for (size_t i = 0; code == HD_EXIT_OK && i < p->segments->n; i++) {
        const struct con_segment *s = &p->segments->item[i];
        if (!s->state.is_stated) {
            con_segment_name(s, "zst", name);
            (void)con_fail(0,
                           "%s is not signed yet, so that this bundle does not verify; "
                           "make it again when it is",
                           name);
        }
    }
    return code;
}

/* ---- the command ---- */

/* Left alone when the option was not given. */
static int parse_time(const struct con_args *args, const char *name, int64_t *out)
{
    const char *text = con_args_value(args, name);
    return text == NULL ? HD_OK : con_when(name, text, out);
}

static const char *or_default(const char *value, const char *absent)
{
    return value != NULL ? value : absent;
}

static int parse(struct prove *p, const struct con_args *args)
{
    struct con_find *find = &p->find;
    find->dir[CON_CHAIN_ARCHIVE] =
        or_default(con_args_value(args, "archive"), CON_ARCHIVE_DEFAULT);
    find->dir[CON_CHAIN_ALERTS] =
        or_default(con_args_value(args, "alerts"), STATE "correlator/alerts");
    find->dir[CON_CHAIN_RECEIPTS] =
        or_default(con_args_value(args, "receipts"), STATE "forwarder/receipts");
    find->host = con_args_value(args, "host");
    find->since_ns = INT64_MIN;
    find->until_ns = INT64_MAX;
    int err = parse_time(args, "since", &find->since_ns);
    return err == HD_OK ? parse_time(args, "until", &find->until_ns) : err;
}

/* One more, if there is a file of it. */
static void key_try(struct con_archive_keys *keys, const char *path)
{
    if (keys->n < CON_ARCHIVE_KEYS &&
        hd_sign_public_load(path, &keys->key[keys->n]) == HD_OK) {
        keys->n++;
    }
}

static int report(const struct prove *p, const struct con_args *args)
{
    struct hd_buf out;
    int err = HD_OK;
    hd_buf_init(&out, 0);
    if (con_args_flag(args, "json")) {
        err = con_prove_json(&p->view, &out);
    } else {
        con_prove_text(&p->view, &out);
    }
    int code = err == HD_OK ? con_out_print(&out)
                            : con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(err));
    hd_buf_fini(&out);
    return code;
}

static int run(struct prove *p, const struct con_args *args)
{
    const char *what = args->operands[0];
    const char *path = con_args_value(args, "bundle");
    char why[CON_UNLOCK_WHY];
    int err = find_whole(p, what);
    if (err == HD_EINVAL) {
        return HD_EXIT_USAGE;
    }
    if (err == HD_OK && is_nothing(p)) {
        return con_fail(HD_EXIT_RUNTIME,
                        "not found: '%s' (%" PRIu64 " entries of %s looked at, %" PRIu64
                        " unreadable)",
                        what, p->find.looked_at, p->find.dir[CON_CHAIN_ARCHIVE],
                        p->find.unreadable);
    }
    if (err == HD_EAGAIN) {
        return con_fail(HD_EXIT_STORE,
                        "the segments are exchanged or removed as fast as they are read; "
                        "try again when compaction is done");
    }
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE,
                        "the journals cannot be read: %s; name them with --archive, "
                        "--alerts and --receipts, and be in the group haidang",
                        con_unlock_text(err, &p->find.missing, why));
    }
    int code = report(p, args);
    return code == HD_EXIT_OK && path != NULL ? bundle(p, path) : code;
}

static void prove_free(struct prove *p)
{
    close_segments(p);
    con_segments_free(p->segments);
    con_chain_reader_fini(&p->find.reader);
    con_chain_fini(&p->chain);
    con_archive_keys_free(&p->keys);
    hd_journal_keys_free(p->secrets);
}

int con_run_prove(const struct con_args *args)
{
    struct con_show show;
    struct prove p = {.segments = calloc(1, sizeof(*p.segments))};
    int code = HD_EXIT_USAGE;
    if (p.segments == NULL || con_chain_init(&p.chain) != HD_OK ||
        con_chain_reader_init(&p.find.reader) != HD_OK) {
        return con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    p.find.chain = &p.chain;
    p.view.show = &show;
    p.view.chain = &p.chain;
    p.view.segments = p.segments;
    if (con_show_init(&show, args) == HD_OK && parse(&p, args) == HD_OK) {
        code = con_archive_keys_load(&p.keys, args);
        code = code == HD_EXIT_OK ? con_unlock(args, &p.secrets) : code;
        p.find.keys = p.secrets;
        key_try(&p.keys, STATE "correlator/seal.key.pub");
        key_try(&p.keys, STATE "forwarder/seal.key.pub");
        code = code == HD_EXIT_OK ? run(&p, args) : code;
    }
    con_show_fini(&show);
    prove_free(&p);
    return code;
}
