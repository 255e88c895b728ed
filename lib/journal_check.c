/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking segments; see the header. One pass: what the scan has in its window is hashed
 * as it goes.
 */
#include <haidang/journal_check.h>

#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/array.h>

#include "lib/journal_priv.h"
#include "lib/journal_reader.h"

struct hd_check {
    struct hd_check_opts opts;
    struct hd_io io;
    struct hd_jscan scan;
    EVP_MD_CTX *hash;
    uint64_t hashed;
    int hash_err; /* the disk, or memory; the hash is not to be used */
    bool has_uuid, has_link;
    struct hd_jfmt_uuid uuid;
    uint64_t expected; /* index of the next segment's first entry */
    uint64_t previous; /* with a statement */
    uint8_t previous_sha256[HD_SHA256_LEN];
    struct hd_buf text; /* the statement of the segment in hand */
    struct hd_check_segment *seg;
};

const char *hd_check_problem_name(enum hd_check_problem problem)
{
    static const char *const names[HD_CHECK_PROBLEMS] = {
        "header",    "damage", "missing", "unsealed",  "unstated",
        "statement", "hash",   "key",     "signature", "chain",
    };
    return problem < HD_CHECK_PROBLEMS ? names[problem] : "unknown";
}

int hd_check_open_io(const struct hd_check_opts *opts, const struct hd_io *io,
                     struct hd_check **out)
{
    struct hd_check *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return HD_ENOMEM;
    }
    c->opts = *opts;
    c->has_uuid = opts->journal != NULL;
    if (c->has_uuid) {
        memcpy(c->uuid.byte, opts->journal, sizeof(c->uuid.byte));
    }
    c->io = *io;
    hd_jscan_init(&c->scan, &c->io);
    hd_buf_init(&c->text, HD_SEAL_MAX);
    c->hash = EVP_MD_CTX_new();
    if (c->hash == NULL) {
        hd_check_close(c);
        return HD_ENOMEM;
    }
    *out = c;
    return HD_OK;
}

int hd_check_open(const struct hd_check_opts *opts, struct hd_check **out)
{
    struct hd_io io = hd_io_system();
    return hd_check_open_io(opts, &io, out);
}

void hd_check_close(struct hd_check *c)
{
    if (c != NULL) {
        hd_jscan_fini(&c->scan);
        hd_buf_fini(&c->text);
        EVP_MD_CTX_free(c->hash);
        free(c);
    }
}

struct hd_slice hd_check_statement(const struct hd_check *c)
{
    return hd_buf_slice(&c->text);
}

/* ---- findings ---- */

static void HD_PRINTF(3, 4)
    tell(struct hd_check *c, struct hd_check_finding finding, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    finding.segment = c->seg->first;
    finding.text = text;
    c->seg->problems++;
    c->opts.found(c->opts.ctx, &finding);
}

/* ---- the hash ---- */

/* Hashes on up to offset `to`. */
static void hash_to(struct hd_check *c, uint64_t to)
{
    while (c->hash_err == HD_OK && c->hashed < to) {
        uint64_t left = to - c->hashed;
        struct hd_slice bytes;
        size_t len = left < HD_JSCAN_STEP ? (size_t)left : HD_JSCAN_STEP;
        c->hash_err = hd_jscan_view(&c->scan, c->hashed, len, &bytes);
        if (c->hash_err == HD_OK && EVP_DigestUpdate(c->hash, bytes.ptr, len) != 1) {
            c->hash_err = HD_ENOMEM;
        }
        c->hashed += len;
    }
}

static int hash_begin(struct hd_check *c)
{
    c->hashed = 0;
    c->hash_err = HD_OK;
    return EVP_DigestInit_ex2(c->hash, EVP_sha256(), NULL) == 1 ? HD_OK : HD_ENOMEM;
}

/* ---- entries ---- */

static void count_entry(struct hd_check_segment *seg, const struct hd_journal_entry *e)
{
    bool is_first = seg->entries == 0;
    seg->entries++;
    seg->records += e->count;
    seg->raw_bytes += e->raw_len;
    seg->next = e->index + 1;
    seg->time_min = is_first || e->time_min < seg->time_min ? e->time_min : seg->time_min;
    seg->time_max = is_first || e->time_max > seg->time_max ? e->time_max : seg->time_max;
}

static void expect(struct hd_check *c, uint64_t index)
{
    if (index > c->expected) {
        tell(c,
             (struct hd_check_finding){.problem = HD_CHECK_MISSING, .index = c->expected},
             "entries %llu to %llu are not here", (unsigned long long)c->expected,
             (unsigned long long)(index - 1));
    }
}

/* At bytes that do not verify: to the next that do. */
static int pass_damage(struct hd_check *c, uint64_t *at, uint64_t *index)
{
    struct hd_jitem item;
    uint64_t found = 0;
    int err = hd_jscan_resync(&c->scan, *at + 1, *index, &found, &item);
    if (err != HD_OK) {
        return err;
    }
    tell(c,
         (struct hd_check_finding){.problem = HD_CHECK_DAMAGE,
                                   .index = *index,
                                   .offset = *at,
                                   .bytes = found - *at},
         "%llu bytes from offset %llu do not verify; entry %llu is damaged",
         (unsigned long long)(found - *at), (unsigned long long)*at,
         (unsigned long long)*index);
    if (item.kind == HD_JITEM_ENTRY && item.head.entry.index > *index + 1) {
        c->expected = *index + 1;
        expect(c, item.head.entry.index);
    }
    *index = item.kind == HD_JITEM_ENTRY ? item.head.entry.index : *index + 1;
    c->expected = *index;
    *at = found;
    return HD_OK;
}

static int check_entries(struct hd_check *c, uint64_t at, bool is_last)
{
    uint64_t index = c->seg->first;
    c->expected = c->expected == 0 ? index : c->expected;
    for (;;) {
        struct hd_jitem item;
        int err = hd_jscan_at(&c->scan, at, true, &item);
        if (err != HD_OK) {
            return err;
        }
        if (item.kind == HD_JITEM_END || item.kind == HD_JITEM_FOOTER) {
            c->seg->is_sealed = item.kind == HD_JITEM_FOOTER;
            return HD_OK;
        }
        bool is_entry = item.kind == HD_JITEM_ENTRY && item.head.entry.index >= index;
        if (is_entry) {
            expect(c, item.head.entry.index);
            count_entry(c->seg, &item.head.entry);
            index = item.head.entry.index + 1;
            c->expected = index;
            at += item.size;
            hash_to(c, at);
        } else if (is_last && c->scan.limit - at < HD_JFMT_FRAME_LEN) {
            return HD_OK; /* being written */
        } else {
            err = pass_damage(c, &at, &index);
            hash_to(c, at);
        }
        if (err == HD_OK && c->opts.progress != NULL &&
            !c->opts.progress(c->opts.ctx, at)) {
            err = HD_ECLOSED;
        }
        if (err != HD_OK) {
            return err;
        }
    }
}

/* ---- the statement ---- */

static const struct hd_sign_key *key_of(const struct hd_check *c, const uint8_t *id)
{
    for (size_t i = 0; i < c->opts.n_keys; i++) {
        if (memcmp(hd_sign_key_id(c->opts.keys[i]), id, HD_KEY_ID_LEN) == 0) {
            return c->opts.keys[i];
        }
    }
    return NULL;
}

static bool signature_holds(struct hd_check *c, const struct hd_seal_text *text)
{
    const struct hd_seal *seal = &c->seg->seal;
    const struct hd_sign_key *key = key_of(c, seal->key_id);
    if (key == NULL) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_KEY},
             "signed with key %02x%02x%02x%02x..., whose public half was not given",
             seal->key_id[0], seal->key_id[1], seal->key_id[2], seal->key_id[3]);
        return false;
    }
    if (hd_sign_verify(key, text->statement, text->signature) != HD_OK) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_SIGNATURE},
             "the signature does not verify");
        return false;
    }
    return true;
}

static bool hash_holds(struct hd_check *c, uint64_t at)
{
    const struct hd_seal *seal = &c->seg->seal;
    uint8_t digest[HD_SHA256_LEN];
    if (seal->first != c->seg->first || seal->bytes != at ||
        (c->has_uuid &&
         memcmp(seal->journal, c->uuid.byte, sizeof(seal->journal)) != 0)) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_STATEMENT},
             "the statement is about another segment");
        return false;
    }
    hash_to(c, at);
    if (c->hash_err != HD_OK || EVP_DigestFinal_ex(c->hash, digest, NULL) != 1) {
        c->hash_err = c->hash_err == HD_OK ? HD_ENOMEM : c->hash_err;
        return false;
    }
    if (memcmp(digest, seal->sha256, sizeof(digest)) != 0) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_HASH},
             "the SHA-256 of its first %llu bytes is not the one stated",
             (unsigned long long)at);
        return false;
    }
    return true;
}

static void check_chain(struct hd_check *c)
{
    const struct hd_seal *seal = &c->seg->seal;
    bool follows = seal->previous == c->previous &&
                   memcmp(seal->previous_sha256, c->previous_sha256, HD_SHA256_LEN) == 0;
    if (c->has_link && !follows) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_CHAIN},
             "its statement does not follow that of segment %020llu",
             (unsigned long long)c->previous);
    }
}

static int link_keep(struct hd_check *c, const struct hd_seal_text *text)
{
    c->previous = c->seg->first;
    c->has_link = true;
    return hd_sha256(text->statement, c->previous_sha256);
}

static int check_statement(struct hd_check *c)
{
    struct hd_slice in;
    struct hd_seal_text text;
    uint64_t at = 0;
    int err = hd_jscan_seal(&c->scan, &in, &at);
    if (err == HD_ENOENT) {
        if (c->has_link) {
            tell(c, (struct hd_check_finding){.problem = HD_CHECK_UNSTATED},
                 "has no statement, though segment %020llu has",
                 (unsigned long long)c->previous);
        }
        return HD_OK;
    }
    if (err != HD_OK) {
        return err;
    }
    hd_buf_slice_add(&c->text, in); /* the window moves */
    if (c->text.err != 0 ||
        hd_seal_decode(hd_buf_slice(&c->text), &c->seg->seal, &text) != HD_OK) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_STATEMENT},
             "the statement cannot be read");
        return HD_OK;
    }
    c->seg->is_stated = true;
    bool is_hash = hash_holds(c, at);
    bool is_signature = signature_holds(c, &text);
    c->seg->is_vouched = is_hash && is_signature;
    check_chain(c);
    err = link_keep(c, &text);
    return err == HD_OK ? c->hash_err : err;
}

/* ---- a segment ---- */

static int check_header(struct hd_check *c, uint64_t first)
{
    struct hd_jfmt_segment header;
    struct hd_slice bytes;
    int err = hd_jscan_view(&c->scan, 0, HD_JFMT_SEGMENT_LEN, &bytes);
    if (err != HD_OK && err != HD_ERANGE) {
        return err;
    }
    bool good =
        err == HD_OK && hd_jfmt_segment_decode(bytes, &header) && header.first == first;
    if (good && c->has_uuid && !hd_jfmt_uuid_eq(&header.uuid, &c->uuid)) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_HEADER},
             "it belongs to another journal");
    } else if (!good) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_HEADER},
             "its header does not verify");
    }
    if (good && !c->has_uuid) {
        c->uuid = header.uuid;
        c->has_uuid = true;
    }
    c->scan.uuid = good ? header.uuid : c->uuid;
    return HD_OK;
}

static int check_open_file(struct hd_check *c, bool is_last)
{
    int err = hash_begin(c);
    if (err == HD_OK) {
        err = check_header(c, c->seg->first);
    }
    if (err == HD_OK) {
        err = check_entries(c, HD_JFMT_SEGMENT_LEN, is_last);
    }
    if (err == HD_OK && c->seg->is_sealed) {
        err = check_statement(c);
    } else if (err == HD_OK && !is_last) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_UNSEALED},
             "it was never sealed, though others follow it");
    }
    return err;
}

static int first_of(const char *path, uint64_t *first)
{
    const char *slash = strrchr(path, '/');
    return hd_jfmt_name_parse(slash == NULL ? path : slash + 1, first) ? HD_OK
                                                                       : HD_EINVAL;
}

int hd_check_segment(struct hd_check *c, const char *path, bool is_last, uint64_t limit,
                     struct hd_check_segment *out)
{
    int fd = -1;
    *out = (struct hd_check_segment){.first = 0};
    hd_buf_clear(&c->text);
    c->seg = out;
    int err = first_of(path, &out->first);
    out->next = out->first;
    if (err == HD_OK) {
        err = c->io.ops->open(c->io.ctx, path, O_RDONLY, &fd);
    }
    if (err == HD_OK) {
        err = c->io.ops->size(c->io.ctx, fd, &out->bytes);
    }
    if (err == HD_OK) {
        out->bytes = limit > 0 && limit < out->bytes ? limit : out->bytes;
        hd_jscan_file(&c->scan, fd, out->bytes);
        err = check_open_file(c, is_last);
    }
    hd_io_close(&c->io, &fd);
    hd_jscan_file(&c->scan, -1, 0);
    c->seg = NULL;
    return err;
}

/* ---- a directory ---- */

static int list_add(void *ctx, const char *name)
{
    struct hd_journal_segments *s = ctx;
    uint64_t first = 0;
    if (!hd_jfmt_name_parse(name, &first)) {
        return HD_OK;
    }
    uint64_t *more = hd_array_grow(s->first, s->n, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    s->first = more;
    s->first[s->n++] = first;
    return HD_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

int hd_journal_list_io(const char *dir, const struct hd_io *io,
                       struct hd_journal_segments *out)
{
    const struct hd_journal_reader reader = {.io = *io, .dir = (char *)(uintptr_t)dir};
    struct hd_jfmt_mark mark;
    *out = (struct hd_journal_segments){.n = 0};
    bool has_mark = hd_jreader_mark(&reader, &mark) == HD_OK;
    int err = io->ops->list(io->ctx, dir, list_add, out);
    if (err != HD_OK) {
        free(out->first);
        *out = (struct hd_journal_segments){.n = 0};
        return err;
    }
    if (out->n > 0) {
        qsort(out->first, out->n, sizeof(*out->first), by_number);
        bool is_last = has_mark && mark.segment == out->first[out->n - 1];
        out->durable = is_last ? mark.offset : 0;
    }
    out->has_journal = has_mark;
    if (has_mark) {
        memcpy(out->journal, mark.uuid.byte, sizeof(out->journal));
    }
    return HD_OK;
}

int hd_journal_list(const char *dir, struct hd_journal_segments *out)
{
    struct hd_io io = hd_io_system();
    return hd_journal_list_io(dir, &io, out);
}

int hd_journal_segment_path(const char *dir, uint64_t first, char *out, size_t cap)
{
    char name[HD_JFMT_NAME_LEN + 1];
    hd_jfmt_name(first, name);
    int len = snprintf(out, cap, "%s/%s", dir, name);
    return len > 0 && (size_t)len < cap ? HD_OK : HD_EINVAL;
}
