/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/segment.h"

#include <haidang/clock.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEALED_FRAC 9

/* ---- which ---- */

static void add(struct con_segments *segments, enum con_chain_journal journal,
                uint64_t first)
{
    size_t at = segments->n;
    if (con_segments_find(segments, journal, first) != NULL || at == CON_SEGMENTS_MAX) {
        return;
    }
    for (; at > 0 && segments->item[at - 1].journal == journal &&
           segments->item[at - 1].first > first;
         at--) {
        segments->item[at] = segments->item[at - 1];
    }
    segments->item[at] =
        (struct con_segment){.journal = journal, .first = first, .part = {.fd = -1}};
    segments->n++;
}

void con_segments_of(struct con_segments *segments, const struct con_chain *chain)
{
    const json_t *entry = NULL;
    size_t i = 0;
    segments->n = 0;
    for (unsigned j = 0; j < CON_CHAIN_JOURNALS; j++) {
        json_array_foreach(chain->entries[j], i, entry)
        {
            add(segments, (enum con_chain_journal)j, con_chain_number(entry, "segment"));
        }
    }
}

void con_segments_clear(struct con_segments *segments)
{
    for (size_t i = 0; i < segments->n; i++) {
        hd_buf_fini(&segments->item[i].stamp);
        hd_buf_fini(&segments->item[i].chain);
    }
    segments->n = 0;
}

void con_segments_free(struct con_segments *segments)
{
    if (segments != NULL) {
        con_segments_clear(segments);
    }
    free(segments);
}

const struct con_segment *con_segments_find(const struct con_segments *segments,
                                            enum con_chain_journal journal,
                                            uint64_t first)
{
    for (size_t i = 0; i < segments->n; i++) {
        const struct con_segment *s = &segments->item[i];
        if (s->journal == journal && s->first == first) {
            return s;
        }
    }
    return NULL;
}

void con_segment_name(const struct con_segment *segment, const char *end,
                      char out[CON_SEGMENT_NAME])
{
    (void)snprintf(out, CON_SEGMENT_NAME, "%s/%020" PRIu64 ".%s",
                   con_chain_journal_name(segment->journal), segment->first, end);
}

/* ---- checking ---- */

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    struct con_segment *segment = ctx;
    if (finding->problem == HD_CHECK_KEY) {
        segment->is_key_known = false;
    } else if (segment->problem[0] == '\0') {
        (void)snprintf(segment->problem, sizeof(segment->problem), "%s", finding->text);
    }
}

int con_segment_check(struct con_segment *segment, struct hd_sign_key *const *keys,
                      size_t n_keys, bool is_last)
{
    const struct hd_check_opts opts = {
        .keys = keys, .n_keys = n_keys, .found = on_problem, .ctx = segment};
    char name[CON_SEGMENT_NAME];
    struct hd_check *check = NULL;
    segment->problem[0] = '\0';
    segment->seal[0] = '\0';
    segment->is_key_known = true;
    con_segment_name(segment, "zst", name);
    int err = hd_check_open_part(&opts, &segment->part, &check);
    if (err != HD_OK) {
        return err;
    }
    err = hd_check_segment(check, name, is_last, 0, &segment->state);
    if (err == HD_OK && segment->state.is_stated) {
        (void)snprintf(segment->seal, sizeof(segment->seal), "%.*s",
                       HD_SLICE_FMT(hd_check_statement(check)));
    }
    hd_check_close(check);
    return err;
}

bool con_segment_is_vouched(const struct con_segment *segment)
{
    return segment->state.is_vouched && segment->problem[0] == '\0';
}

/* ---- telling ---- */

static int put_hex(json_t *object, const char *name, struct hd_slice bytes)
{
    char storage[2 * HD_SHA256_LEN + 1];
    struct hd_buf text = hd_buf_fixed(storage, sizeof(storage));
    hd_buf_hex(&text, bytes);
    return json_object_set_new(object, name, json_string(hd_buf_cstr(&text)));
}

static int put_seal(json_t *object, const struct hd_seal *seal)
{
    char time[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(seal->sealed, SEALED_FRAC, time);
    int bad = put_hex(object, "uuid", hd_slice(seal->journal, sizeof(seal->journal)));
    bad |= json_object_set_new(object, "sealed", json_string(time));
    bad |= json_object_set_new(object, "next", json_integer((json_int_t)seal->next));
    bad |= json_object_set_new(object, "hashed", json_integer((json_int_t)seal->bytes));
    bad |= put_hex(object, "sha256", hd_slice(seal->sha256, HD_SHA256_LEN));
    bad |=
        json_object_set_new(object, "previous", json_integer((json_int_t)seal->previous));
    bad |= put_hex(object, "key", hd_slice(seal->key_id, HD_KEY_ID_LEN));
    return bad;
}

static int put_sha256(json_t *object, const char *name, const struct hd_buf *of)
{
    uint8_t digest[HD_SHA256_LEN];
    return hd_sha256(hd_buf_slice(of), digest) == HD_OK
               ? put_hex(object, name, hd_slice(digest, sizeof(digest)))
               : -1;
}

int con_segment_describe(const struct con_segment *segment, json_t *out)
{
    json_t *object = json_object();
    int bad = json_object_set_new(object, "journal",
                                  json_string(con_chain_journal_name(segment->journal)));
    bad |=
        json_object_set_new(object, "segment", json_integer((json_int_t)segment->first));
    bad |= json_object_set_new(object, "bytes",
                               json_integer((json_int_t)segment->part.bytes));
    bad |=
        json_object_set_new(object, "is_sealed", json_boolean(segment->state.is_sealed));
    if (segment->state.is_stated) {
        bad |= put_seal(object, &segment->state.seal);
    }
    if (segment->stamp.len > 0) {
        bad |= put_sha256(object, "stamp_sha256", &segment->stamp);
    }
    if (segment->chain.len > 0) {
        bad |= put_sha256(object, "chain_sha256", &segment->chain);
    }
    if (bad != 0) {
        json_decref(object);
        return HD_ENOMEM;
    }
    return json_array_append_new(out, object) == 0 ? HD_OK : HD_ENOMEM;
}
