/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking segments; see the header. One pass: what the scan has in its window is hashed
 * as it goes.
 */
#include <haidang/journal_check.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/array.h>

#include "lib/journal_priv.h"
#include "lib/journal_reader.h"

#define LIST_TRIES 3

struct hd_check {
    struct hd_check_opts opts;
    struct hd_io io;
    struct hd_jscan scan;
    struct hd_jcrypt crypt;
    EVP_MD_CTX *hash;
    uint64_t hashed;
    int hash_err; /* the disk, or memory; the hash is not to be used */
    bool has_uuid, has_link;
    struct hd_jfmt_uuid uuid;
    uint64_t expected; /* index of the next segment's first entry */
    uint64_t previous; /* with a statement */
    uint8_t previous_sha256[HD_SHA256_LEN];
    struct hd_buf text;            /* the statement of the segment in hand */
    struct hd_buf small;           /* that about its compaction: */
    bool has_small, is_small_read; /* it is there; it can be read */
    struct hd_compacted compacted;
    struct hd_slice compacted_text;
    uint8_t compacted_signature[HD_SIGNATURE_LEN];
    uint64_t compacted_at;
    struct hd_check_segment *seg;
};

const char *hd_check_problem_name(enum hd_check_problem problem)
{
    static const char *const names[HD_CHECK_PROBLEMS] = {
        "header", "damage", "missing",   "unsealed", "unstated", "statement",
        "hash",   "key",    "signature", "chain",    "content",  "stamp",
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
    c->scan.go_on = opts->progress;
    c->scan.go_on_ctx = opts->ctx;
    hd_jcrypt_init(&c->crypt);
    hd_buf_init(&c->text, HD_SEAL_MAX);
    hd_buf_init(&c->small, HD_COMPACTED_MAX);
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
        hd_jcrypt_fini(&c->crypt);
        hd_buf_fini(&c->text);
        hd_buf_fini(&c->small);
        EVP_MD_CTX_free(c->hash);
        free(c);
    }
}

struct hd_slice hd_check_statement(const struct hd_check *c)
{
    return hd_buf_slice(&c->text);
}

const struct hd_compacted *hd_check_compacted(const struct hd_check *c)
{
    return c->is_small_read ? &c->compacted : NULL;
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

/* The entry that comes is `index`. Those that compaction dropped are not missing. */
static void expect(struct hd_check *c, uint64_t expected, uint64_t index)
{
    bool is_dropped = c->is_small_read && index > expected &&
                      hd_compacted_has_dropped(&c->compacted, expected, index - 1);
    if (index > expected && !is_dropped) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_MISSING, .index = expected},
             "entries %llu to %llu are not here", (unsigned long long)expected,
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
    if (item.kind == HD_JITEM_ENTRY) {
        expect(c, *index + 1, item.head.entry.index);
    }
    *index = item.kind == HD_JITEM_ENTRY ? item.head.entry.index : *index + 1;
    *at = found;
    return HD_OK;
}

/* Decrypts what is encrypted, where there is its key. */
static int check_content(struct hd_check *c, struct hd_jfmt_entry *head, uint64_t at)
{
    if (!hd_jfmt_is_box(head->entry.payload)) {
        return HD_OK;
    }
    int err = hd_jcrypt_open(&c->crypt, c->opts.secrets, &c->scan.uuid, head);
    c->seg->encrypted++;
    if (err == HD_ENOKEY) {
        c->seg->locked++;
        c->seg->missing = c->crypt.missing;
        return HD_OK;
    }
    if (err == HD_ECORRUPT || err == HD_EVERSION) {
        tell(c,
             (struct hd_check_finding){.problem = HD_CHECK_CONTENT,
                                       .index = head->entry.index,
                                       .offset = at,
                                       .bytes = head->entry.stored},
             "entry %llu cannot be decrypted: %s", (unsigned long long)head->entry.index,
             err == HD_ECORRUPT ? "it is not what was encrypted" : hd_err_text(err));
        return HD_OK;
    }
    return err;
}

static int take_entry(struct hd_check *c, const struct hd_jitem *item, uint64_t *at,
                      uint64_t *index)
{
    struct hd_jfmt_entry head = item->head;
    struct hd_slice bytes;
    expect(c, *index, head.entry.index);
    count_entry(c->seg, &head.entry);
    int err = check_content(c, &head, *at);
    if (err == HD_OK && c->opts.entry != NULL) {
        err = hd_jscan_view(&c->scan, *at, (size_t)item->size, &bytes);
        err = err == HD_OK ? c->opts.entry(c->opts.ctx, &head.entry, bytes) : err;
    }
    if (err != HD_OK) {
        return err;
    }
    *index = head.entry.index + 1;
    *at += item->size;
    return HD_OK;
}

/* Behind the last entry. */
static void end_entries(struct hd_check *c, const struct hd_jitem *item, uint64_t index)
{
    c->seg->is_sealed = item->kind == HD_JITEM_FOOTER;
    c->seg->follows = index;
    if (c->seg->is_sealed && c->scan.footer.next > index) {
        expect(c, index, c->scan.footer.next);
        c->seg->follows = c->scan.footer.next;
    }
}

static int check_entries(struct hd_check *c, uint64_t at, bool is_last)
{
    uint64_t index = c->seg->first;
    for (;;) {
        struct hd_jitem item;
        int err = hd_jscan_at(&c->scan, at, true, &item);
        if (err != HD_OK) {
            return err;
        }
        bool is_cut = is_last && item.kind == HD_JITEM_BAD &&
                      c->scan.limit - at < HD_JFMT_FRAME_LEN; /* being written */
        if (is_cut || item.kind == HD_JITEM_END || item.kind == HD_JITEM_FOOTER) {
            end_entries(c, &item, index);
            return HD_OK;
        }
        bool is_entry = item.kind == HD_JITEM_ENTRY && item.head.entry.index >= index;
        err = is_entry ? take_entry(c, &item, &at, &index) : pass_damage(c, &at, &index);
        hash_to(c, at);
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

static bool signature_holds(struct hd_check *c, const uint8_t *key_id,
                            struct hd_slice text, const uint8_t *signature)
{
    const struct hd_sign_key *key = key_of(c, key_id);
    if (key == NULL) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_KEY},
             "signed with key %02x%02x%02x%02x..., whose public half was not given",
             key_id[0], key_id[1], key_id[2], key_id[3]);
        return false;
    }
    if (hd_sign_verify(key, text, signature) != HD_OK) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_SIGNATURE},
             "the signature does not verify");
        return false;
    }
    return true;
}

static bool is_journal(const struct hd_check *c, const uint8_t journal[16])
{
    return !c->has_uuid || memcmp(journal, c->uuid.byte, sizeof(c->uuid.byte)) == 0;
}

/* Statements about this segment, as it was sealed and as it is. */
static bool is_about(const struct hd_check *c, uint64_t at)
{
    const struct hd_seal *seal = &c->seg->seal;
    const struct hd_compacted *small = &c->compacted;
    if (seal->first != c->seg->first || !is_journal(c, seal->journal)) {
        return false;
    }
    if (!c->is_small_read) {
        return seal->bytes == at;
    }
    return small->first == c->seg->first && is_journal(c, small->journal) &&
           memcmp(small->original, c->seg->statement_sha256, HD_SHA256_LEN) == 0 &&
           small->bytes == c->compacted_at && small->entries == c->seg->entries &&
           small->records == c->seg->records;
}

static bool hash_holds(struct hd_check *c, uint64_t at, const uint8_t sha256[])
{
    uint8_t digest[HD_SHA256_LEN];
    hash_to(c, at);
    if (c->hash_err != HD_OK || EVP_DigestFinal_ex(c->hash, digest, NULL) != 1) {
        c->hash_err = c->hash_err == HD_OK ? HD_ENOMEM : c->hash_err;
        return false;
    }
    if (memcmp(digest, sha256, sizeof(digest)) != 0) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_HASH},
             "the SHA-256 of its first %llu bytes is not the one stated",
             (unsigned long long)at);
        return false;
    }
    return true;
}

/* The statement into c->text and the segment. HD_EPARSE: there is one that cannot be
 * read.
 */
static int read_statement(struct hd_check *c, struct hd_seal_text *text, uint64_t *at)
{
    struct hd_slice in;
    int err = hd_jscan_seal(&c->scan, &in, at);
    if (err != HD_OK) {
        return err == HD_ENOENT ? HD_OK : err;
    }
    c->seg->has_statement = true;
    hd_buf_slice_add(&c->text, in); /* the window moves */
    if (c->text.err != 0 ||
        hd_seal_decode(hd_buf_slice(&c->text), &c->seg->seal, text) != HD_OK) {
        return c->text.err == HD_ENOMEM ? HD_ENOMEM : HD_EPARSE;
    }
    c->seg->is_stated = true;
    return hd_sha256(text->statement, c->seg->statement_sha256);
}

/* The same of its compaction, first of all: it says which entries need not be here. */
static int read_compacted(struct hd_check *c)
{
    struct hd_slice in;
    int err = hd_jscan_compacted(&c->scan, &in, &c->compacted_at);
    if (err != HD_OK) {
        return err == HD_ENOENT ? HD_OK : err;
    }
    c->has_small = true;
    hd_buf_slice_add(&c->small, in); /* the window moves */
    c->is_small_read =
        c->small.err == 0 &&
        hd_compacted_decode(hd_buf_slice(&c->small), &c->compacted, &c->compacted_text,
                            c->compacted_signature) == HD_OK;
    c->seg->is_compacted = c->is_small_read;
    return c->small.err == HD_ENOMEM ? HD_ENOMEM : HD_OK;
}

/* The bytes of the file: as they were sealed, or as they were compacted. */
static bool bytes_hold(struct hd_check *c, uint64_t at)
{
    if (c->has_small && !c->is_small_read) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_STATEMENT},
             "the statement about its compaction cannot be read");
        return false;
    }
    if (!is_about(c, at)) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_STATEMENT},
             "the statement is about another segment");
        return false;
    }
    if (!c->is_small_read) {
        return hash_holds(c, at, c->seg->seal.sha256);
    }
    bool is_hash = hash_holds(c, c->compacted_at, c->compacted.sha256);
    return signature_holds(c, c->compacted.key_id, c->compacted_text,
                           c->compacted_signature) &&
           is_hash;
}

static int check_statement(struct hd_check *c)
{
    struct hd_seal_text text;
    uint64_t at = 0;
    int err = read_statement(c, &text, &at);
    if (err == HD_EPARSE) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_STATEMENT},
             "the statement cannot be read");
        return HD_OK;
    }
    if (err != HD_OK || !c->seg->is_stated) {
        return err;
    }
    bool is_hash = bytes_hold(c, at);
    bool is_signature =
        signature_holds(c, c->seg->seal.key_id, text.statement, text.signature);
    c->seg->is_vouched = is_hash && is_signature;
    return c->hash_err;
}

static void check_chain(struct hd_check *c)
{
    const struct hd_seal *seal = &c->seg->seal;
    bool follows = seal->previous == c->previous &&
                   memcmp(seal->previous_sha256, c->previous_sha256, HD_SHA256_LEN) == 0;
    if (!follows) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_CHAIN},
             "its statement does not follow that of segment %020llu",
             (unsigned long long)c->previous);
    }
}

void hd_check_link(struct hd_check *c, struct hd_check_segment *seg)
{
    c->seg = seg;
    if (c->expected != 0) {
        expect(c, c->expected, seg->first);
    }
    c->expected = seg->follows;
    if (c->has_link && seg->is_stated) {
        check_chain(c);
    } else if (c->has_link && seg->is_sealed && !seg->has_statement) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_UNSTATED},
             "has no statement, though segment %020llu has",
             (unsigned long long)c->previous);
    }
    if (seg->is_stated) {
        c->previous = seg->first;
        c->has_link = true;
        memcpy(c->previous_sha256, seg->statement_sha256, HD_SHA256_LEN);
    }
    c->seg = NULL;
}

void hd_check_end(struct hd_check *c, struct hd_check_segment *last, uint64_t next)
{
    c->seg = last;
    expect(c, c->expected, next);
    c->seg = NULL;
}

/* ---- a segment ---- */

static int read_header(struct hd_check *c)
{
    struct hd_jfmt_segment header;
    struct hd_slice bytes;
    int err = hd_jscan_view(&c->scan, 0, HD_JFMT_SEGMENT_LEN, &bytes);
    if (err != HD_OK && err != HD_ERANGE) {
        return err;
    }
    c->seg->has_header = err == HD_OK && hd_jfmt_segment_decode(bytes, &header) &&
                         header.first == c->seg->first;
    if (c->seg->has_header) {
        memcpy(c->seg->journal, header.uuid.byte, sizeof(c->seg->journal));
        c->seg->key = header.key;
        c->scan.uuid = header.uuid;
    } else {
        c->scan.uuid = c->uuid;
    }
    return HD_OK;
}

static int check_header(struct hd_check *c)
{
    int err = read_header(c);
    if (err != HD_OK) {
        return err;
    }
    if (!c->seg->has_header) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_HEADER},
             "its header does not verify");
    } else if (!c->has_uuid) {
        c->uuid = c->scan.uuid;
        c->has_uuid = true;
    } else if (!hd_jfmt_uuid_eq(&c->scan.uuid, &c->uuid)) {
        tell(c, (struct hd_check_finding){.problem = HD_CHECK_HEADER},
             "it belongs to another journal");
    }
    return HD_OK;
}

static int check_open_file(struct hd_check *c, bool is_last)
{
    int err = hash_begin(c);
    if (err == HD_OK) {
        err = check_header(c);
    }
    if (err == HD_OK) {
        err = read_compacted(c);
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

static void take_footer(struct hd_check_segment *seg, const struct hd_jfmt_footer *footer)
{
    seg->is_sealed = true;
    seg->next = footer->next;
    seg->follows = footer->next;
    seg->entries = footer->entries;
    seg->records = footer->records;
    seg->raw_bytes = footer->raw_bytes;
    seg->time_min = footer->time_min;
    seg->time_max = footer->time_max;
}

static int peek_open_file(struct hd_check *c, bool is_last)
{
    struct hd_seal_text text;
    uint64_t at = 0;
    (void)is_last;
    c->scan.step = HD_JSCAN_STEP_HEADS;
    int err = read_header(c);
    err = err == HD_OK ? hd_jscan_footer(&c->scan) : err;
    if (err == HD_OK) {
        take_footer(c->seg, &c->scan.footer);
        err = read_statement(c, &text, &at);
        err = err == HD_EPARSE ? HD_OK : err;
        err = err == HD_OK ? read_compacted(c) : err;
    }
    c->scan.step = HD_JSCAN_STEP;
    return err == HD_ENOENT ? HD_OK : err;
}

static int first_of(const char *path, uint64_t *first)
{
    const char *slash = strrchr(path, '/');
    return hd_jfmt_name_parse(slash == NULL ? path : slash + 1, first) ? HD_OK
                                                                       : HD_EINVAL;
}

typedef int look_fn(struct hd_check *c, bool is_last);

/* Lets `look` look at the file. */
static int with_fd(struct hd_check *c, int fd, bool is_last, uint64_t limit,
                   look_fn *look)
{
    struct hd_check_segment *out = c->seg;
    int err = c->io.ops->size(c->io.ctx, fd, &out->bytes);
    if (err == HD_OK) {
        out->bytes = limit > 0 && limit < out->bytes ? limit : out->bytes;
        hd_jscan_file(&c->scan, fd, out->bytes);
        err = look(c, is_last);
    }
    hd_jscan_file(&c->scan, -1, 0);
    return err;
}

static void begin(struct hd_check *c, uint64_t first, struct hd_check_segment *out)
{
    c->seg = out;
    *out = (struct hd_check_segment){.first = first, .next = first, .follows = first};
    hd_buf_clear(&c->text);
    hd_buf_clear(&c->small);
    c->has_small = c->is_small_read = false;
}

/* Opens it before. */
static int with_file(struct hd_check *c, const char *path, bool is_last, uint64_t limit,
                     struct hd_check_segment *out, look_fn *look)
{
    uint64_t first = 0;
    int fd = -1;
    int err = first_of(path, &first);
    begin(c, first, out);
    if (err == HD_OK) {
        err = c->io.ops->open(c->io.ctx, path, O_RDONLY, &fd);
    }
    if (err == HD_OK) {
        err = with_fd(c, fd, is_last, limit, look);
    }
    hd_io_close(&c->io, &fd);
    return err;
}

int hd_check_alone(struct hd_check *c, const char *path, bool is_last, uint64_t limit,
                   struct hd_check_segment *out)
{
    int err = with_file(c, path, is_last, limit, out, check_open_file);
    c->seg = NULL;
    return err;
}

int hd_check_peek(struct hd_check *c, const char *path, struct hd_check_segment *out)
{
    int err = with_file(c, path, false, 0, out, peek_open_file);
    c->seg = NULL;
    return err;
}

int hd_check_alone_fd(struct hd_check *c, const struct hd_check_file *file, bool is_last,
                      uint64_t limit, struct hd_check_segment *out)
{
    begin(c, file->first, out);
    int err = with_fd(c, file->fd, is_last, limit, check_open_file);
    c->seg = NULL;
    return err;
}

int hd_check_peek_fd(struct hd_check *c, const struct hd_check_file *file,
                     struct hd_check_segment *out)
{
    begin(c, file->first, out);
    int err = with_fd(c, file->fd, false, 0, peek_open_file);
    c->seg = NULL;
    return err;
}

int hd_check_file_open(const char *dir, uint64_t first, struct hd_check_file *out)
{
    char path[PATH_MAX];
    *out = (struct hd_check_file){.fd = -1, .first = first};
    int err = hd_journal_segment_path(dir, first, path, sizeof(path));
    out->fd = err == HD_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return err == HD_OK && out->fd < 0 ? hd_err_from_errno(errno) : err;
}

int hd_check_segment(struct hd_check *c, const char *path, bool is_last, uint64_t limit,
                     struct hd_check_segment *out)
{
    int err = hd_check_alone(c, path, is_last, limit, out);
    if (err == HD_OK) {
        hd_check_link(c, out);
    }
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

/* Nobody marks: the first header that verifies says which journal it is. */
static int uuid_find(const char *dir, const struct hd_io *io,
                     struct hd_journal_segments *out)
{
    const struct hd_check_opts opts = {.n_keys = 0};
    struct hd_check_segment seg;
    struct hd_check *c = NULL;
    char path[PATH_MAX];
    int err = hd_check_open_io(&opts, io, &c);
    for (size_t i = 0; err == HD_OK && i < out->n && !out->has_journal; i++) {
        err = hd_journal_segment_path(dir, out->first[i], path, sizeof(path));
        err = err == HD_OK ? hd_check_peek(c, path, &seg) : err;
        out->has_journal = err == HD_OK && seg.has_header;
        err = err == HD_ENOMEM || err == HD_EINVAL ? err : HD_OK; /* others may tell */
    }
    if (out->has_journal) {
        memcpy(out->journal, seg.journal, sizeof(out->journal));
    }
    hd_check_close(c);
    return err;
}

static void list_free(struct hd_journal_segments *s)
{
    free(s->first);
    *s = (struct hd_journal_segments){.n = 0};
}

static uint64_t list_last(const struct hd_journal_segments *s)
{
    return s->n == 0 ? 0 : s->first[s->n - 1];
}

/* The names, and then the mark: what is listed but for the last is sealed. */
static int list_names(const char *dir, const struct hd_io *io,
                      struct hd_journal_segments *out, struct hd_jfmt_mark *mark)
{
    const struct hd_journal_reader reader = {.io = *io, .dir = (char *)(uintptr_t)dir};
    int err = io->ops->list(io->ctx, dir, list_add, out);
    if (err != HD_OK) {
        return err;
    }
    out->has_journal = hd_jreader_mark(&reader, mark) == HD_OK;
    if (out->n > 0) {
        qsort(out->first, out->n, sizeof(*out->first), by_number);
    }
    return HD_OK;
}

static void take_mark(struct hd_journal_segments *out, const struct hd_jfmt_mark *mark)
{
    memcpy(out->journal, mark->uuid.byte, sizeof(out->journal));
    out->durable = mark->segment == list_last(out) ? mark->offset : 0;
    out->next = mark->segment >= list_last(out) ? mark->next : 0;
}

int hd_journal_list_io(const char *dir, const struct hd_io *io,
                       struct hd_journal_segments *out)
{
    struct hd_jfmt_mark mark = {.segment = 0};
    int err = HD_OK;
    *out = (struct hd_journal_segments){.n = 0};
    for (int i = 0; err == HD_OK && i < LIST_TRIES; i++) {
        list_free(out);
        err = list_names(dir, io, out, &mark);
        if (!out->has_journal || mark.segment <= list_last(out)) {
            break; /* no segment was begun meanwhile */
        }
    }
    if (err == HD_OK && out->has_journal) {
        take_mark(out, &mark);
    } else if (err == HD_OK) {
        err = uuid_find(dir, io, out);
    }
    if (err != HD_OK) {
        list_free(out);
    }
    return err;
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
