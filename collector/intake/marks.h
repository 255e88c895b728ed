/* SPDX-License-Identifier: Apache-2.0
 *
 * How far each stream (a tailed file, say) has been read. A mark lives twice: the latest
 * value, and the durable one, which lags behind until the batch that carries it is in the
 * spool. Agent loop thread. Bounded: above `max` streams the one not touched for longest
 * is forgotten, and counted.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/err.h>
#include <haidang/slice.h>

struct col_marks;

int col_marks_new(size_t max, struct col_marks **out) HD_MUST_USE;
void col_marks_free(struct col_marks *marks);

/* Sets the latest value; it will be in the next meta. Empty = forget the stream.
 * HD_ELIMIT: key and mark are larger than COL_MARK_MAX together, or no key. */
int col_marks_set(struct col_marks *marks, struct hd_slice key, struct hd_slice mark,
                  int64_t now_s) HD_MUST_USE;
/* The same, of what has nothing to do with the lines that are being put together: it is
 * in a later meta when the next one is full. */
int col_marks_set_late(struct col_marks *marks, struct hd_slice key, struct hd_slice mark,
                       int64_t now_s) HD_MUST_USE;
/* The latest value; valid until the next call. */
struct hd_slice col_marks_get(struct col_marks *marks, struct hd_slice key,
                              int64_t now_s);

/* When it was last set or got, wall clock, s; 0: there is no such stream. */
int64_t col_marks_touched(const struct col_marks *marks, struct hd_slice key);

/* Appends what was set since the last call to a spool entry's meta:
 *     meta = %x01 *( key-len mark-len key mark )    lengths: one byte each
 * Nothing is appended when nothing was set. Never more than HD_JOURNAL_META_MAX; what was
 * set late comes last. */
void col_marks_take_meta(struct col_marks *marks, struct hd_buf *meta);
/* One more mark of the largest size may not fit into the next meta, late ones aside. */
bool col_marks_is_full(const struct col_marks *marks);

/* That meta is durable now. HD_EPARSE: no such meta. */
int col_marks_durable(struct col_marks *marks, struct hd_slice meta) HD_MUST_USE;
/* The same at recovery: the latest value follows. */
int col_marks_restore(struct col_marks *marks, struct hd_slice meta,
                      int64_t now_s) HD_MUST_USE;
/* Restores one. */
int col_marks_restore_one(struct col_marks *marks, struct hd_slice key,
                          struct hd_slice mark, int64_t touched_s) HD_MUST_USE;
/* No line is on its way to the spool: what was set counts as durable. */
void col_marks_settle(struct col_marks *marks);

/* Durable marks, in no order. */
void col_marks_each(const struct col_marks *marks,
                    void (*each)(void *ctx, struct hd_slice key, struct hd_slice mark,
                                 int64_t touched_s),
                    void *ctx);
size_t col_marks_count(const struct col_marks *marks);
uint64_t col_marks_evicted(const struct col_marks *marks);
