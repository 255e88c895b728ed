/* SPDX-License-Identifier: Apache-2.0
 *
 * Compaction; see the header. One pass: what the check has verified of an entry is
 * written on. Only what the check then vouches for, and what was written verifies in its
 * turn, takes the place of the segment.
 */
#include <haidang/journal_compact.h>

#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include <haidang/clock.h>
#include <haidang/compacted.h>

#include "lib/journal_crypt.h"
#include "lib/journal_least.h"
#include "lib/journal_priv.h"

#define DIR_MODE 0750
#define RAW_MAX  ((size_t)64 << 20)

struct hd_compact {
    struct hd_compact_opts opts;
    struct hd_io io;
    char dir[PATH_MAX - 64], aside[PATH_MAX - 48];
    int lock_fd, fd; /* fd: of the segment that is being made */
    struct hd_check *check, *again;
    ZSTD_CCtx *zstd;
    ZSTD_DCtx *unzstd;
    struct hd_jcrypt opener, closer;
    struct hd_buf raw, compare, frame, out;
    EVP_MD_CTX *was, *is, *file; /* content before and now; the new file */
    /* the segment at hand */
    struct hd_check_segment seg, made;
    struct hd_jfmt_uuid uuid;
    struct hd_jfmt_footer footer;
    struct hd_compacted old, now; /* old: of an earlier compaction */
    size_t old_at;                /* of its runs that are noted */
    bool is_again;                /* it was compacted before */
    uint64_t tail;
    uint64_t unread_from; /* entries below it may be dropped */
    bool is_unsure;       /* whether the exchange is durable: the old file stays aside */
    struct hd_compact_result result;
};

/* ---- life ---- */

static int aside_remove(void *ctx, const char *name)
{
    const struct hd_compact *c = ctx;
    char path[PATH_MAX];
    uint64_t first;
    if (!hd_jfmt_name_parse(name, &first)) {
        return HD_OK;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", c->aside, name);
    return c->io.ops->unlink(c->io.ctx, path);
}

static int open_aside(struct hd_compact *c)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/lock", c->aside);
    int err = c->io.ops->mkdirs(c->io.ctx, c->aside, DIR_MODE);
    err = err == HD_OK ? c->io.ops->open(c->io.ctx, path, O_RDWR | O_CREAT, &c->lock_fd)
                       : err;
    err = err == HD_OK ? c->io.ops->lock(c->io.ctx, c->lock_fd) : err;
    return err == HD_OK ? c->io.ops->list(c->io.ctx, c->aside, aside_remove, c) : err;
}

static void found(void *ctx, const struct hd_check_finding *finding)
{
    struct hd_compact *c = ctx;
    c->opts.found(c->opts.ctx, finding);
}

static void ignore(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx;
    (void)finding;
}

static int take_entry(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes);
static int read_again(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes);

static int open_checks(struct hd_compact *c)
{
    struct hd_check_opts opts = {.keys = c->opts.keys,
                                 .n_keys = c->opts.n_keys,
                                 .secrets = c->opts.secrets,
                                 .found = ignore,
                                 .entry = read_again,
                                 .ctx = c};
    int err = hd_check_open_io(&opts, &c->io, &c->again);
    opts.entry = take_entry;
    opts.found = found;
    return err == HD_OK ? hd_check_open_io(&opts, &c->io, &c->check) : err;
}

static int open_tools(struct hd_compact *c)
{
    c->zstd = ZSTD_createCCtx();
    c->unzstd = ZSTD_createDCtx();
    c->was = EVP_MD_CTX_new();
    c->is = EVP_MD_CTX_new();
    c->file = EVP_MD_CTX_new();
    bool good = c->zstd != NULL && c->unzstd != NULL && c->was != NULL && c->is != NULL &&
                c->file != NULL;
    return good &&
                   !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel,
                                                        c->opts.level)) &&
                   !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1))
               ? HD_OK
               : HD_ENOMEM;
}

int hd_compact_open_io(const struct hd_compact_opts *opts, const struct hd_io *io,
                       struct hd_compact **out)
{
    struct hd_compact *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return HD_ENOMEM;
    }
    c->opts = *opts;
    c->io = *io;
    c->lock_fd = c->fd = -1;
    hd_jcrypt_init(&c->opener);
    hd_jcrypt_init(&c->closer);
    hd_buf_init(&c->raw, RAW_MAX);
    hd_buf_init(&c->compare, RAW_MAX);
    hd_buf_init(&c->frame, 0);
    hd_buf_init(&c->out, 0);
    int len = snprintf(c->dir, sizeof(c->dir), "%s", opts->dir);
    (void)snprintf(c->aside, sizeof(c->aside), "%s/.compact", c->dir);
    int err = len > 0 && (size_t)len < sizeof(c->dir) ? open_tools(c) : HD_EINVAL;
    int64_t least_ns = 0;
    err =
        err == HD_OK && opts->drop != NULL ? hd_jleast_read(io, c->dir, &least_ns) : err;
    err = err == HD_OK ? open_checks(c) : err;
    err = err == HD_OK ? open_aside(c) : err;
    if (err != HD_OK) {
        hd_compact_close(c);
        return err;
    }
    *out = c;
    return HD_OK;
}

int hd_compact_open(const struct hd_compact_opts *opts, struct hd_compact **out)
{
    struct hd_io io = hd_io_system();
    return hd_compact_open_io(opts, &io, out);
}

void hd_compact_close(struct hd_compact *c)
{
    if (c == NULL) {
        return;
    }
    hd_io_close(&c->io, &c->fd);
    hd_io_close(&c->io, &c->lock_fd);
    hd_check_close(c->check);
    hd_check_close(c->again);
    (void)ZSTD_freeCCtx(c->zstd);
    (void)ZSTD_freeDCtx(c->unzstd);
    EVP_MD_CTX_free(c->was);
    EVP_MD_CTX_free(c->is);
    EVP_MD_CTX_free(c->file);
    hd_jcrypt_fini(&c->opener);
    hd_jcrypt_fini(&c->closer);
    hd_buf_fini(&c->raw);
    hd_buf_fini(&c->compare);
    hd_buf_fini(&c->frame);
    hd_buf_fini(&c->out);
    free(c);
}

/* ---- writing ---- */

static int add_hash(EVP_MD_CTX *hash, struct hd_slice bytes)
{
    return EVP_DigestUpdate(hash, bytes.ptr, bytes.len) == 1 ? HD_OK : HD_ENOMEM;
}

/* What c->out holds, and `rest` behind it. */
static int put(struct hd_compact *c, struct hd_slice rest)
{
    struct hd_slice head = hd_buf_slice(&c->out);
    const struct iovec iov[] = {{(void *)(uintptr_t)head.ptr, head.len},
                                {(void *)(uintptr_t)rest.ptr, rest.len}};
    int err = c->out.err;
    err = err == HD_OK
              ? hd_io_write_all(&c->io, c->fd, iov, rest.len > 0 ? 2 : 1, c->tail)
              : err;
    err = err == HD_OK ? add_hash(c->file, head) : err;
    err = err == HD_OK && rest.len > 0 ? add_hash(c->file, rest) : err;
    c->tail += head.len + rest.len;
    return err;
}

/* The header as it is: when the segment was begun tells the age of the one before. */
static int put_header(struct hd_compact *c, const char *path)
{
    int from = -1;
    size_t got = 0;
    hd_buf_clear(&c->out);
    uint8_t *room = hd_buf_reserve(&c->out, HD_JFMT_SEGMENT_LEN);
    struct iovec to = {room, HD_JFMT_SEGMENT_LEN};
    int err = room == NULL ? HD_ENOMEM : HD_OK;
    err = err == HD_OK ? c->io.ops->open(c->io.ctx, path, O_RDONLY, &from) : err;
    err = err == HD_OK ? c->io.ops->pread(c->io.ctx, from, to, 0, &got) : err;
    err = err == HD_OK && got < HD_JFMT_SEGMENT_LEN ? HD_ECORRUPT : err;
    err = err == HD_OK ? c->io.ops->like(c->io.ctx, c->fd, from) : err;
    hd_io_close(&c->io, &from);
    c->out.len = HD_JFMT_SEGMENT_LEN;
    return err == HD_OK ? put(c, HD_SLICE_EMPTY) : err;
}

/* ---- entries ---- */

static int decompress(struct hd_compact *c, struct hd_slice frame, uint32_t raw_len,
                      struct hd_buf *out)
{
    hd_buf_clear(out);
    if (raw_len >= RAW_MAX) {
        return HD_ECORRUPT; /* no writer of ours */
    }
    uint8_t *room = hd_buf_reserve(out, (size_t)raw_len + 1);
    if (room == NULL) {
        return out->err;
    }
    size_t len = ZSTD_decompressDCtx(c->unzstd, room, raw_len, frame.ptr, frame.len);
    if (ZSTD_isError(len) || len != raw_len) {
        return HD_ECORRUPT;
    }
    out->len = len;
    return HD_OK;
}

/* c->raw, compressed as far as it goes and read back; *frame is left as it was when that
 * is no smaller. */
static int recompress(struct hd_compact *c, uint32_t raw_len, struct hd_slice *frame)
{
    size_t bound = ZSTD_compressBound(c->raw.len);
    hd_buf_clear(&c->frame);
    uint8_t *room = hd_buf_reserve(&c->frame, bound);
    if (room == NULL) {
        return HD_ENOMEM;
    }
    size_t len = ZSTD_compress2(c->zstd, room, bound, c->raw.ptr, c->raw.len);
    if (ZSTD_isError(len)) {
        return HD_ENOMEM;
    }
    if (len >= frame->len) {
        return HD_OK;
    }
    int err = decompress(c, hd_slice(room, len), raw_len, &c->compare);
    bool is_same = err == HD_OK && c->compare.len == c->raw.len &&
                   memcmp(c->compare.ptr, c->raw.ptr, c->raw.len) == 0;
    *frame = hd_slice(room, len);
    return err == HD_OK && !is_same ? HD_EBUG : err;
}

/* Runs that an earlier compaction dropped before `index`. */
static bool note_old(struct hd_compact *c, uint64_t index)
{
    bool good = true;
    while (c->old_at < c->old.n_dropped && c->old.dropped[c->old_at].last < index) {
        const struct hd_compacted_run *run = &c->old.dropped[c->old_at++];
        good = hd_compacted_drop(&c->now, run->first, run->last) && good;
    }
    return good;
}

/* Those runs that are still to be noted must have room. */
static bool drops(struct hd_compact *c, const struct hd_journal_entry *entry)
{
    size_t later = c->old.n_dropped - c->old_at;
    if (c->opts.drop == NULL || entry->index >= c->unread_from ||
        !c->opts.drop(c->opts.ctx, entry)) {
        return false;
    }
    bool is_next = c->now.n_dropped > 0 &&
                   c->now.dropped[c->now.n_dropped - 1].last + 1 == entry->index;
    if (!is_next && c->now.n_dropped + later >= HD_COMPACTED_RUNS_MAX) {
        c->result.scattered++;
        return false;
    }
    c->result.dropped++;
    return hd_compacted_drop(&c->now, entry->index, entry->index);
}

static int put_entry(struct hd_compact *c, struct hd_jfmt_entry *head, bool is_box)
{
    struct hd_journal_entry *e = &head->entry;
    int err = c->is_again ? HD_OK : recompress(c, e->raw_len, &e->payload);
    if (err == HD_OK && is_box) {
        err = hd_jcrypt_close(&c->closer,
                              hd_journal_keys_find(c->opts.secrets, &c->opener.key),
                              &c->uuid, e, head->committed);
    } else if (err == HD_OK) {
        err = add_hash(c->is, hd_buf_slice(&c->raw)); /* what zstdcat will print */
    }
    if (err != HD_OK) {
        return err;
    }
    hd_jfmt_footer_count(&c->footer, e, c->tail);
    hd_buf_clear(&c->out);
    hd_jfmt_entry_encode(&c->out, &c->uuid, e, head->committed);
    return put(c, e->payload);
}

/* Its checksums hold, and still it is not what a writer writes. */
static int refuse_entry(struct hd_compact *c, uint64_t index)
{
    const struct hd_check_finding finding = {
        .problem = HD_CHECK_DAMAGE,
        .segment = c->seg.first,
        .index = index,
        .text = "it cannot be decompressed to the length in its header"};
    c->opts.found(c->opts.ctx, &finding);
    return HD_ECORRUPT;
}

static int take_entry(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes)
{
    struct hd_compact *c = ctx;
    struct hd_jfmt_entry head;
    if (hd_jfmt_entry_decode(bytes, &c->uuid, &head) != HD_PARSE_OK) {
        return HD_ECORRUPT;
    }
    head.entry.payload.ptr = bytes.ptr + head.head_len;
    bool is_box = hd_jfmt_is_box(head.entry.payload);
    int err = hd_jcrypt_open(&c->opener, c->opts.secrets, &c->uuid, &head);
    if (err == HD_OK) {
        err = decompress(c, head.entry.payload, head.entry.raw_len, &c->raw);
        err = err == HD_ECORRUPT ? refuse_entry(c, entry->index) : err;
    }
    err = err == HD_OK && !is_box ? add_hash(c->was, hd_buf_slice(&c->raw)) : err;
    if (err != HD_OK) {
        return err;
    }
    c->result.entries++;
    c->result.raw_bytes += c->raw.len;
    (void)note_old(c, head.entry.index); /* there was room for them before */
    if (drops(c, &head.entry)) {
        return HD_OK;
    }
    c->result.kept_bytes += c->raw.len;
    err = put_entry(c, &head, is_box);
    if (err == HD_OK && c->opts.progress != NULL &&
        !c->opts.progress(c->opts.ctx, c->tail)) {
        err = HD_ECLOSED;
    }
    return err;
}

/* ---- the end of a segment ---- */

static int digest_of(EVP_MD_CTX *hash, uint8_t out[HD_SHA256_LEN])
{
    return EVP_DigestFinal_ex(hash, out, NULL) == 1 ? HD_OK : HD_ENOMEM;
}

/* What is known of the segment when all its entries are taken. */
static int state(struct hd_compact *c)
{
    struct hd_compacted *now = &c->now;
    (void)note_old(c, UINT64_MAX);
    c->footer.next = c->seg.follows;
    memcpy(now->journal, c->seg.journal, sizeof(now->journal));
    memcpy(now->original, c->seg.statement_sha256, sizeof(now->original));
    now->first = c->seg.first;
    now->entries = c->footer.entries;
    now->records = c->footer.records;
    now->compacted = hd_clock_wall_ns();
    int err = digest_of(c->was, now->before);
    err = err == HD_OK ? digest_of(c->is, now->after) : err;
    if (c->is_again) {
        memcpy(now->before, c->old.before, sizeof(now->before));
    }
    return err;
}

/* The footer up to the text that is to follow, of that length. */
static struct hd_slice begin_footer(struct hd_compact *c, size_t len)
{
    hd_buf_clear(&c->out);
    hd_jfmt_footer_compacted(&c->out, &c->footer, hd_check_statement(c->check), len);
    return hd_buf_slice(&c->out);
}

/* Encoded twice: its length stands in what it hashes. */
static int put_footer(struct hd_compact *c)
{
    struct hd_buf text;
    hd_buf_init(&text, HD_COMPACTED_MAX);
    c->now.bytes = c->tail + begin_footer(c, 0).len;
    int err = hd_compacted_encode(&text, &c->now, c->opts.key);
    if (err == HD_OK) {
        err = add_hash(c->file, begin_footer(c, text.len));
    }
    err = err == HD_OK ? c->out.err : err;
    err = err == HD_OK ? digest_of(c->file, c->now.sha256) : err;
    hd_buf_clear(&text);
    err = err == HD_OK ? hd_compacted_encode(&text, &c->now, c->opts.key) : err;
    if (err == HD_OK) {
        hd_buf_slice_add(&c->out, hd_buf_slice(&text));
        hd_jfmt_footer_end(&c->out, &c->uuid);
        err = c->out.err;
    }
    err = err == HD_OK ? hd_io_write(&c->io, c->fd, hd_buf_slice(&c->out), c->tail) : err;
    c->tail += c->out.len;
    hd_buf_fini(&text);
    return err;
}

/* ---- what was written, as it lies there ---- */

static int read_again(void *ctx, const struct hd_journal_entry *entry,
                      struct hd_slice bytes)
{
    struct hd_compact *c = ctx;
    if (hd_jfmt_is_box(hd_slice_from(bytes, HD_JFMT_ENTRY_LEN + entry->meta.len))) {
        return HD_OK; /* zstdcat prints nothing of it */
    }
    int err = decompress(c, entry->payload, entry->raw_len, &c->raw);
    return err == HD_OK ? add_hash(c->is, hd_buf_slice(&c->raw)) : err;
}

static int verify(struct hd_compact *c, const char *path)
{
    uint8_t digest[HD_SHA256_LEN];
    if (EVP_DigestInit_ex2(c->is, EVP_sha256(), NULL) != 1) {
        return HD_ENOMEM;
    }
    int err = hd_check_alone(c->again, path, false, 0, &c->made);
    err = err == HD_OK ? digest_of(c->is, digest) : err;
    bool good =
        err == HD_OK && c->made.problems == 0 && c->made.is_vouched &&
        c->made.is_compacted && c->made.locked == 0 &&
        memcmp(digest, c->now.after, sizeof(digest)) == 0 &&
        memcmp(c->made.statement_sha256, c->seg.statement_sha256, sizeof(digest)) == 0;
    return err == HD_OK && !good ? HD_EIO : err;
}

/* ---- one segment ---- */

static int sync_dir(const struct hd_compact *c)
{
    int fd = -1;
    int err = c->io.ops->open(c->io.ctx, c->dir, O_RDONLY | O_DIRECTORY, &fd);
    err = err == HD_OK ? c->io.ops->sync(c->io.ctx, fd) : err;
    hd_io_close(&c->io, &fd);
    return err;
}

/* Aside is made anew and never followed: root may compact what another user owns. */
static int begin(struct hd_compact *c, const char *path, const char *aside)
{
    const struct hd_compacted *old = hd_check_compacted(c->check);
    c->is_again = old != NULL;
    c->old = old == NULL ? (struct hd_compacted){.first = 0} : *old;
    c->now = (struct hd_compacted){.first = 0};
    c->old_at = 0;
    c->is_unsure = false;
    c->tail = 0;
    memcpy(c->uuid.byte, c->seg.journal, sizeof(c->uuid.byte));
    hd_jcrypt_renew(&c->closer);
    hd_jfmt_footer_init(&c->footer, c->seg.first, HD_JOURNAL_SEGMENT_BYTES);
    bool good = EVP_DigestInit_ex2(c->was, EVP_sha256(), NULL) == 1 &&
                EVP_DigestInit_ex2(c->is, EVP_sha256(), NULL) == 1 &&
                EVP_DigestInit_ex2(c->file, EVP_sha256(), NULL) == 1;
    int err = good ? HD_OK : HD_ENOMEM;
    err = err == HD_OK
              ? c->io.ops->open(c->io.ctx, aside, O_RDWR | O_CREAT | O_EXCL, &c->fd)
              : err;
    return err == HD_OK ? put_header(c, path) : err;
}

/* Else the outcome says why not. */
static bool is_worth_it(struct hd_compact *c)
{
    if (c->seg.problems > 0 || !c->seg.is_vouched) {
        c->result.outcome = HD_COMPACT_REFUSED;
        return false;
    }
    return c->result.dropped > 0 || !c->is_again;
}

static int replace(struct hd_compact *c, const char *path, const char *aside)
{
    int err = state(c);
    err = err == HD_OK ? put_footer(c) : err;
    err = err == HD_OK ? c->io.ops->sync(c->io.ctx, c->fd) : err;
    err = err == HD_OK ? verify(c, aside) : err;
    if (err == HD_OK && c->made.bytes >= c->seg.bytes && c->result.dropped == 0) {
        return HD_OK;
    }
    err = err == HD_OK ? c->io.ops->exchange(c->io.ctx, aside, path) : err;
    c->is_unsure = err == HD_OK;
    err = err == HD_OK ? sync_dir(c) : err;
    if (err == HD_OK) {
        c->is_unsure = false;
        c->result.outcome = HD_COMPACT_DONE;
        c->result.after_bytes = c->made.bytes;
    }
    return err;
}

static int work(struct hd_compact *c, const char *path, const char *aside)
{
    int err = begin(c, path, aside);
    err = err == HD_OK ? hd_check_alone(c->check, path, false, 0, &c->seg) : err;
    if (err == HD_OK && is_worth_it(c)) {
        err = replace(c, path, aside);
    }
    hd_io_close(&c->io, &c->fd);
    if (!c->is_unsure) {
        (void)c->io.ops->unlink(c->io.ctx, aside); /* the old one, or not wanted */
    }
    if (err == HD_ENOKEY) {
        c->result.outcome = HD_COMPACT_LOCKED;
        err = HD_OK;
    } else if (err == HD_ECORRUPT) {
        c->result.outcome = HD_COMPACT_REFUSED;
        err = HD_OK;
    }
    return err;
}

static int find_readers(struct hd_compact *c)
{
    char path[PATH_MAX];
    struct hd_jfmt_uuid uuid;
    (void)snprintf(path, sizeof(path), "%s/readers", c->dir);
    memcpy(uuid.byte, c->seg.journal, sizeof(uuid.byte));
    int err = hd_jcursor_min(&c->io, path, &uuid, &c->unread_from);
    if (err == HD_ENOENT) { /* a copy */
        c->unread_from = UINT64_MAX;
        err = HD_OK;
    }
    return err;
}

/* Asked for each segment: the correlator may have been started with another age. */
static int find_young(struct hd_compact *c)
{
    int64_t least_ns = 0, age_ns = 0;
    int err = c->opts.drop == NULL ? HD_OK : hd_jleast_read(&c->io, c->dir, &least_ns);
    least_ns = least_ns > c->opts.keep_ns ? least_ns : c->opts.keep_ns;
    bool is_known =
        c->seg.is_stated &&
        !__builtin_sub_overflow(hd_clock_wall_ns(), c->seg.seal.sealed, &age_ns);
    c->result.is_young =
        c->opts.drop != NULL && least_ns > 0 && (!is_known || age_ns < least_ns);
    c->unread_from = c->result.is_young ? 0 : c->unread_from;
    return err;
}

int hd_compact_segment(struct hd_compact *c, uint64_t first,
                       struct hd_compact_result *result)
{
    char path[PATH_MAX], aside[PATH_MAX];
    c->result = (struct hd_compact_result){.outcome = HD_COMPACT_NOTHING};
    int err = hd_journal_segment_path(c->dir, first, path, sizeof(path));
    err = err == HD_OK ? hd_journal_segment_path(c->aside, first, aside, sizeof(aside))
                       : err;
    err = err == HD_OK ? hd_check_peek(c->check, path, &c->seg) : err;
    err = err == HD_OK ? find_readers(c) : err;
    err = err == HD_OK ? find_young(c) : err;
    c->result.before_bytes = c->result.after_bytes = c->seg.bytes;
    bool may_drop = c->opts.drop != NULL && !c->result.is_young;
    if (err == HD_OK && (!c->seg.is_sealed || !c->seg.is_stated || !c->seg.has_header)) {
        c->result.outcome = HD_COMPACT_UNSIGNED;
    } else if (err == HD_OK && (!c->seg.is_compacted || may_drop)) {
        err = work(c, path, aside);
    }
    *result = c->result;
    return err;
}
