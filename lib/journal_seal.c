/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement about a segment, made when it is sealed. The hash goes along with what is
 * written; where it does not (the segment was begun in an earlier life, or the tail was
 * cut back), the file is read once more.
 */
#include "lib/journal_priv.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/log.h>
#include <haidang/seal.h>

#define READ_STEP ((size_t)256 << 10)

int hd_jseal_open(struct hd_journal *j)
{
    hd_buf_init(&j->seal.text, HD_SEAL_MAX);
    if (j->opts.seal_key == NULL) {
        return HD_OK;
    }
    j->seal.hash = EVP_MD_CTX_new();
    return j->seal.hash == NULL ? HD_ENOMEM : HD_OK;
}

void hd_jseal_close(struct hd_journal *j)
{
    EVP_MD_CTX_free(j->seal.hash);
    hd_buf_fini(&j->seal.text);
}

/* ---- the hash ---- */

static bool hash_restart(struct hd_jseal *s)
{
    s->hashed = 0;
    return EVP_DigestInit_ex2(s->hash, EVP_sha256(), NULL) == 1;
}

static void hash_add(struct hd_jseal *s, struct hd_slice bytes)
{
    if (EVP_DigestUpdate(s->hash, bytes.ptr, bytes.len) == 1) {
        s->hashed += bytes.len;
    } else {
        s->hashed = UINT64_MAX; /* no tail: the file will be read */
    }
}

void hd_jseal_begin(struct hd_journal *j, struct hd_slice header)
{
    if (j->seal.hash != NULL && hash_restart(&j->seal)) {
        hash_add(&j->seal, header);
    }
}

void hd_jseal_add(struct hd_journal *j, struct hd_slice bytes)
{
    if (j->seal.hash != NULL && j->seal.hashed >= HD_JFMT_SEGMENT_LEN &&
        j->seal.hashed != UINT64_MAX) {
        hash_add(&j->seal, bytes);
    }
}

/* Whatever was hashed: now it is the file up to the tail. */
static int hash_read(struct hd_journal *j)
{
    struct hd_jseal *s = &j->seal;
    uint8_t *buf = malloc(READ_STEP);
    int err = buf != NULL && hash_restart(s) ? HD_OK : HD_ENOMEM;
    while (err == HD_OK && s->hashed < j->tail) {
        uint64_t left = j->tail - s->hashed;
        struct iovec to = {buf, left < READ_STEP ? (size_t)left : READ_STEP};
        size_t got = 0;
        err = j->io.ops->pread(j->io.ctx, j->fd, to, s->hashed, &got);
        if (err == HD_OK && got < to.iov_len) {
            err = HD_EIO;
        }
        if (err == HD_OK) {
            hash_add(s, hd_slice(buf, got));
        }
    }
    free(buf);
    return err;
}

/* Of the file up to the tail and of `rest` behind it. */
static int hash_end(struct hd_journal *j, struct hd_slice rest,
                    uint8_t out[HD_SHA256_LEN])
{
    int err = j->seal.hashed == j->tail ? HD_OK : hash_read(j);
    EVP_MD_CTX *end = err == HD_OK ? EVP_MD_CTX_new() : NULL;
    bool good = end != NULL && EVP_MD_CTX_copy_ex(end, j->seal.hash) == 1 &&
                EVP_DigestUpdate(end, rest.ptr, rest.len) == 1 &&
                EVP_DigestFinal_ex(end, out, NULL) == 1;
    EVP_MD_CTX_free(end);
    if (err == HD_OK && !good) {
        err = HD_ENOMEM;
    }
    return err;
}

/* ---- the chain ---- */

static int link_set(struct hd_jseal *s, struct hd_slice text)
{
    struct hd_seal seal;
    struct hd_seal_text parts;
    int err = hd_seal_decode(text, &seal, &parts);
    if (err == HD_OK) {
        err = hd_sha256(parts.statement, s->previous_sha256);
    }
    if (err == HD_OK) {
        s->previous = seal.first;
    }
    return err;
}

/* HD_ENOENT: the segment has no statement that can be read. */
static int link_try(struct hd_journal *j, const struct hd_jseg *seg,
                    struct hd_jscan *scan)
{
    char name[HD_JFMT_NAME_LEN + 1];
    char path[PATH_MAX];
    struct hd_slice text;
    uint64_t at = 0, bytes = 0;
    int fd = -1;
    hd_jfmt_name(seg->first, name);
    int err = hd_jseg_path(j, name, path);
    if (err == HD_OK) {
        err = j->io.ops->open(j->io.ctx, path, O_RDONLY, &fd);
    }
    if (err == HD_OK) { /* it may have been compacted */
        err = j->io.ops->size(j->io.ctx, fd, &bytes);
    }
    if (err == HD_OK) {
        hd_jscan_file(scan, fd, bytes);
        err = hd_jscan_seal(scan, &text, &at);
    }
    if (err == HD_OK) {
        err = link_set(&j->seal, text);
        err = err == HD_EPARSE || err == HD_EVERSION ? HD_ENOENT : err;
    }
    hd_io_close(&j->io, &fd);
    hd_jscan_file(scan, -1, 0);
    return err;
}

/* The newest segment before the last one that has a statement. */
static int link_find(struct hd_journal *j)
{
    struct hd_jscan scan;
    int err = HD_ENOENT;
    hd_jscan_init(&scan, &j->io);
    scan.uuid = j->uuid;
    for (size_t i = j->n_segs - 1; i > 0 && err == HD_ENOENT; i--) {
        err = link_try(j, &j->segs[i - 1], &scan);
    }
    hd_jscan_fini(&scan);
    j->seal.is_link_known = err == HD_OK || err == HD_ENOENT;
    return j->seal.is_link_known ? HD_OK : err;
}

/* ---- the footer ---- */

static struct hd_seal seal_of(const struct hd_journal *j)
{
    struct hd_seal seal = {
        .first = j->segs[j->n_segs - 1].first,
        .next = j->stats.next,
        .entries = j->stats.entries,
        .records = j->stats.records,
        .earliest = j->stats.time_min,
        .latest = j->stats.time_max,
        .sealed = hd_clock_wall_ns(),
        .bytes = j->tail + hd_jfmt_footer_begin_len(&j->stats, true),
        .previous = j->seal.previous,
    };
    memcpy(seal.journal, j->uuid.byte, sizeof(seal.journal));
    memcpy(seal.previous_sha256, j->seal.previous_sha256, HD_SHA256_LEN);
    return seal;
}

static int seal_encode(struct hd_journal *j, const struct hd_seal *seal)
{
    hd_buf_clear(&j->seal.text);
    return hd_seal_encode(&j->seal.text, seal, j->opts.seal_key);
}

/* Encoded twice: its length stands in what it hashes. */
static int statement_put(struct hd_journal *j)
{
    int err = j->seal.is_link_known ? HD_OK : link_find(j);
    struct hd_seal seal = seal_of(j);
    err = err == HD_OK ? seal_encode(j, &seal) : err;
    if (err != HD_OK) {
        return err;
    }
    hd_jfmt_footer_begin(&j->out, &j->stats, j->seal.text.len);
    err = j->out.err;
    if (err == HD_OK) {
        err = hash_end(j, hd_buf_slice(&j->out), seal.sha256);
    }
    if (err == HD_OK) {
        err = seal_encode(j, &seal);
    }
    if (err == HD_OK) {
        hd_buf_slice_add(&j->out, hd_buf_slice(&j->seal.text));
    }
    return err;
}

int hd_jseal_footer(struct hd_journal *j)
{
    int err = HD_OK;
    hd_buf_clear(&j->out);
    if (j->seal.hash == NULL) {
        hd_jfmt_footer_begin(&j->out, &j->stats, 0);
    } else {
        err = statement_put(j);
    }
    hd_jfmt_footer_end(&j->out, &j->uuid);
    return err == HD_OK ? j->out.err : err;
}

void hd_jseal_done(struct hd_journal *j)
{
    if (j->seal.hash != NULL) {
        j->seal.is_link_known = link_set(&j->seal, hd_buf_slice(&j->seal.text)) == HD_OK;
    }
}
