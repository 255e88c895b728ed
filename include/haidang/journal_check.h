/* SPDX-License-Identifier: Apache-2.0
 *
 * Does a journal hold what it says it holds? Reads segments entry by entry against their
 * checksums, and, where a segment carries a statement (<haidang/seal.h>), against its
 * hash, its signature and the chain. Needs no writer, changes nothing, and everything
 * readable around damage is still counted. Blocking; one thread an object.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/compacted.h>
#include <haidang/journal.h>
#include <haidang/seal.h>

enum hd_check_problem {
    HD_CHECK_HEADER,    /* the segment's header does not verify */
    HD_CHECK_DAMAGE,    /* bytes that are no entry that verifies */
    HD_CHECK_MISSING,   /* entries that should be here and are not */
    HD_CHECK_UNSEALED,  /* not the last segment, and has no footer */
    HD_CHECK_UNSTATED,  /* sealed without a statement, though others have one */
    HD_CHECK_STATEMENT, /* the statement cannot be read or is about something else */
    HD_CHECK_HASH,      /* the bytes are not those that were stated */
    HD_CHECK_KEY,       /* signed with a key that was not given */
    HD_CHECK_SIGNATURE, /* the signature does not verify */
    HD_CHECK_CHAIN,     /* the statement does not follow the one before */
    HD_CHECK_CONTENT,   /* what is encrypted was changed, though its checksums hold */
    HD_CHECK_STAMP,     /* its time stamp does not hold; told by who reads stamps */
    HD_CHECK_PROBLEMS,
};

/* "damage"; never NULL. */
const char *hd_check_problem_name(enum hd_check_problem problem);

struct hd_check_finding {
    enum hd_check_problem problem;
    uint64_t segment;       /* its first index, which names the file */
    uint64_t index;         /* the entry, or the first one missing; 0 = not about one */
    uint64_t offset, bytes; /* where in the file, and how many; 0, 0 = as a whole */
    const char *text;       /* what is wrong; valid during the call */
};

struct hd_check_segment {
    uint64_t first, next; /* indices that the entries in it have */
    uint64_t follows;     /* index that the segment after it should begin with */
    uint64_t entries, records, raw_bytes, bytes;
    int64_t time_min, time_max;
    bool has_header; /* it verifies; `journal` is the UUID in it */
    uint8_t journal[16];
    bool is_sealed;                   /* has a footer */
    bool has_statement;               /* behind it, whether it can be read or not */
    bool is_stated;                   /* it can; it is in `seal` */
    bool is_vouched;                  /* hash and signature hold */
    bool is_compacted;                /* and says so; see hd_check_compacted */
    unsigned problems;                /* told */
    struct hd_journal_key_id key;     /* entries are encrypted with; zero: they are not */
    uint64_t encrypted, locked;       /* entries; those whose key was not given */
    struct hd_journal_key_id missing; /* one such key */
    struct hd_seal seal;
    uint8_t statement_sha256[HD_SHA256_LEN]; /* what the next one must name */
};

struct hd_check_opts {
    struct hd_sign_key *const *keys; /* public ones; borrowed */
    size_t n_keys;
    const struct hd_journal_keys *secrets; /* to check what is encrypted; NULL: none */
    const uint8_t *journal; /* UUID, 16 bytes; NULL: as the first header says */
    void (*found)(void *ctx, const struct hd_check_finding *finding);
    /* So many bytes of the segment are done; false: stop (HD_ECLOSED). May be NULL. */
    bool (*progress)(void *ctx, uint64_t bytes);
    /* Each entry that verifies, decrypted where its key is in `secrets`, and its bytes in
     * the file, valid during the call; what is not HD_OK ends the check with that. May be
     * NULL. */
    int (*entry)(void *ctx, const struct hd_journal_entry *entry, struct hd_slice bytes);
    void *ctx;
};

struct hd_check;

/* own: until hd_check_close. `opts` and what it points to are borrowed. */
int hd_check_open(const struct hd_check_opts *opts, struct hd_check **out) HD_MUST_USE;
void hd_check_close(struct hd_check *check);

/* Checks one file; segments of one journal in the order of their names. is_last: it may
 * be in use, and then need not be sealed; limit: bytes of it that are durable (0: all).
 * HD_OK whatever was found; HD_ENOENT, HD_EACCES, HD_EIO, HD_ENOMEM: it could not be
 * read. */
int hd_check_segment(struct hd_check *check, const char *path, bool is_last,
                     uint64_t limit, struct hd_check_segment *out) HD_MUST_USE;

/* The two halves of it. The segment by itself: in any order, and by several checks at a
 * time, where opts.journal is given. Then, in order and with one check, whether each
 * follows the one before: nothing missing between them, one chain. */
int hd_check_alone(struct hd_check *check, const char *path, bool is_last, uint64_t limit,
                   struct hd_check_segment *out) HD_MUST_USE;
void hd_check_link(struct hd_check *check, struct hd_check_segment *segment);
/* `last` was linked last, and the next entry to come is `next`: all up to it are here. */
void hd_check_end(struct hd_check *check, struct hd_check_segment *last, uint64_t next);

/* What header, footer and statement say, without reading the entries; nothing is told.
 * Not sealed: only first, bytes and the header's. Errors as above. */
int hd_check_peek(struct hd_check *check, const char *path,
                  struct hd_check_segment *out) HD_MUST_USE;

/* An open segment: what was judged is what is read afterwards, whatever compaction or
 * retention do to its name meanwhile. */
struct hd_check_file {
    int fd; /* the position in it is not used */
    uint64_t first;
};
/* own: file->fd, HD_AUTO_FD or close. HD_ENOENT: it is gone. */
int hd_check_file_open(const char *dir, uint64_t first,
                       struct hd_check_file *file) HD_MUST_USE;
int hd_check_alone_fd(struct hd_check *check, const struct hd_check_file *file,
                      bool is_last, uint64_t limit,
                      struct hd_check_segment *out) HD_MUST_USE;
int hd_check_peek_fd(struct hd_check *check, const struct hd_check_file *file,
                     struct hd_check_segment *out) HD_MUST_USE;

/* The segment of an open check that has a statement: its text with the signature, valid
 * until the next segment. Empty: it has none. */
struct hd_slice hd_check_statement(const struct hd_check *check);
/* What it states about its compaction, valid as long. NULL: nothing that can be read. */
const struct hd_compacted *hd_check_compacted(const struct hd_check *check);

/* The segments of a journal's directory in order, their first indices. own: free().
 * *durable: how much of the last one is durable, 0 when nobody says. */
struct hd_journal_segments {
    uint64_t *first;
    size_t n;
    uint64_t durable, next; /* next: index of the entry to come; 0 = nobody says */
    bool has_journal;
    uint8_t journal[16]; /* UUID, as the mark says, else the first header that verifies */
};
int hd_journal_list(const char *dir, struct hd_journal_segments *out) HD_MUST_USE;
/* "DIR/00000000000000000001.zst". HD_EINVAL: too long. */
int hd_journal_segment_path(const char *dir, uint64_t first, char *out,
                            size_t cap) HD_MUST_USE;
