/* SPDX-License-Identifier: Apache-2.0
 *
 * One tailed file: reads what was appended, cuts it into lines or events, hands them to a
 * sink and says after each how far it is. No loop, no inotify: file.c decides when. A
 * struct col_tail holds no buffer: what is not a whole line yet stays in the file.
 *
 * Identity. A file is its device and inode; that the inode still is the same file is told
 * by its birth time, by a hash of its first bytes and by the last bytes before the
 * position ("edge"). The edge is read again with every read, in the same system call, so
 * a file that was truncated and written anew is noticed however long it has become. What
 * has become of it then is for guard.c to say, before it is begun anew.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/err.h>

#include "collector/source/multiline.h"
#include "collector/source/source.h"

#define COL_TAIL_HEAD_MAX 1024U
#define COL_TAIL_HEAD_MIN 128U /* two logs may begin alike for so long */
#define COL_TAIL_EDGE_MAX 64U
#define COL_TAIL_READ_MAX (256U << 10) /* of one file in one turn, at least */
#define COL_TAIL_KEY_LEN  17U
#define COL_TAIL_MARK_LEN 37U
#define COL_TAIL_PLACES   8U /* where reads ended, apart by COL_TAIL_PLACE_NS at least */
#define COL_TAIL_PLACE_NS (20 * HD_NS_PER_MS)

/* A position that was read up to of late, and the bytes before it. */
struct col_tail_place {
    uint64_t offset, edge_hash;
    int64_t at_ns; /* monotonic */
    uint8_t edge_len;
};

struct col_tail {
    int fd;
    dev_t dev;
    ino_t ino;
    uint64_t offset;    /* of the first byte that was not taken */
    uint64_t known_end; /* so long it was seen to be, at least */
    int64_t marked_s;   /* when it was opened: wall clock of its mark; 0 = it had none */
    uint64_t birth_ns, head_hash;
    uint16_t head_len;
    uint8_t edge_len;
    bool is_other;    /* what was read is not there any more */
    bool is_skipping; /* passing over the rest of a line that was cut */
    bool is_flushed;  /* the last line was taken without its line feed */
    uint8_t key[COL_TAIL_KEY_LEN];
    uint8_t edge[COL_TAIL_EDGE_MAX];
    uint8_t begin_len;                             /* 0 = not known */
    uint8_t begin[COL_TAIL_EDGE_MAX];              /* the file's first bytes */
    struct col_tail_place places[COL_TAIL_PLACES]; /* in no order; offset 0 = none */
    uint64_t lines, bytes, truncated;              /* taken so far */
};

struct col_tail_opts {
    const struct col_sink *sink;
    const struct hd_batch_source *source;
    const struct col_multiline *multiline; /* kind NONE: lines */
    size_t line_max;
    uint8_t *scratch; /* COL_SCRATCH_LEN */
};

enum col_tail_result {
    COL_TAIL_EOF,     /* everything was taken */
    COL_TAIL_PARTIAL, /* at the end, an unfinished line waits */
    COL_TAIL_PENDING, /* at the end, a finished event may yet be continued */
    COL_TAIL_MORE,    /* read on */
    COL_TAIL_FULL,    /* the sink takes no more now */
    COL_TAIL_RESTART, /* it was truncated or rewritten: to be begun anew */
    COL_TAIL_ERROR,   /* the read failed */
};

/* Takes the descriptor (also on failure). Resumes at the sink's mark for this file when
 * it still is this file, else *is_known is false and the position 0. HD_EINVAL: not a
 * regular file. HD_EIO: there is a mark, but whether it is of this file cannot be read.
 */
int col_tail_open(struct col_tail *tail, int fd, const struct col_sink *sink,
                  bool *is_known) HD_MUST_USE;
void col_tail_close(struct col_tail *tail);

/* Starts at the end: what is there, an unfinished last line included, is passed over. */
int col_tail_seek_end(struct col_tail *tail, const struct col_sink *sink) HD_MUST_USE;

/* One turn: at most COL_TAIL_READ_MAX bytes (or one line, when that is longer). flush: an
 * unfinished line or event at the end is taken as it is. */
enum col_tail_result col_tail_read(struct col_tail *tail,
                                   const struct col_tail_opts *opts, bool flush);

/* After COL_TAIL_RESTART, what there is now. */
enum col_tail_now {
    COL_TAIL_EMPTY,   /* nothing */
    COL_TAIL_SHORTER, /* it begins as before, and ends before the position */
    COL_TAIL_CHANGED, /* it begins as before, and differs before the position */
    COL_TAIL_OTHER,   /* it begins differently */
};
enum col_tail_now col_tail_judge(const struct col_tail *tail, uint64_t *size);
/* It still is what was read of it, as far as its size and its first bytes tell. */
bool col_tail_is_intact(const struct col_tail *tail);
/* Begins anew at 0, and marks that. */
void col_tail_restart(struct col_tail *tail, const struct col_sink *sink);
/* Bytes that were seen, are not among the first `kept`, and were not taken. */
uint64_t col_tail_unread(const struct col_tail *tail, uint64_t kept);
/* Looks how long it is: for who cannot read on now. */
void col_tail_note_end(struct col_tail *tail);
/* The file open at `fd` begins as this one did; false also when too little of this one
 * was read to tell (COL_TAIL_HEAD_MIN). */
bool col_tail_begins_as(const struct col_tail *tail, int fd);

/* What the file open at `fd` has of what was read of this one. */
enum col_tail_copy {
    COL_TAIL_NO_COPY,
    COL_TAIL_WHOLE_COPY, /* all */
    COL_TAIL_SHORT_COPY, /* all but what was read while it was made, or just after */
};
enum col_tail_copy col_tail_compare(int fd, const struct col_tail *tail,
                                    const struct col_sink *sink);
/* An unread file has what was read of `other`, as far as it goes. */
bool col_tail_is_like(const struct col_tail *tail, const struct col_tail *other,
                      const struct col_sink *sink);
/* What the mark of a file that is gone says of it; not open. */
void col_tail_recall(struct col_tail *tail, dev_t dev, ino_t ino,
                     const struct col_sink *sink);

/* Links that name it; 0 = it was removed. */
unsigned col_tail_links(const struct col_tail *tail);
/* Its mark is in use, also when nothing is read; if it was forgotten, it is set again. */
void col_tail_touch(const struct col_tail *tail, const struct col_sink *sink);
/* The file will not come back: forget its mark. */
void col_tail_forget(const struct col_tail *tail, const struct col_sink *sink);

/* Is there a mark for this file (and not for another one that had the inode)? */
bool col_tail_is_marked(const char *path, const struct stat *st,
                        const struct col_sink *sink);
/* When the file was made, ns; 0 = the file system does not tell. */
uint64_t col_tail_birth(const char *path);
/* An unread file that may be a copy of `original` (copytruncate): when it agrees with the
 * original's mark, true: what was read there is passed over, and marked so. */
bool col_tail_adopt(struct col_tail *tail, const struct stat *original,
                    const struct col_sink *sink);

/* The key of a file's mark. */
struct hd_slice col_tail_key(dev_t dev, ino_t ino, uint8_t out[COL_TAIL_KEY_LEN]);
