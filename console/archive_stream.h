/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments and time stamps as one stream, for a pipe to another machine: a tar archive of
 * the members N.zst and stamps/N.tsr, as strict as a bundle of proof (docs/formats/
 * archive.md, "Stream"). Blocking; one thread.
 */
#pragma once
#include "console/archive.h"
#include "console/prove/bundle.h"

enum con_stream_kind { CON_STREAM_SEGMENT, CON_STREAM_STAMP };

/* ---- writing ---- */

/* What the other end has already; a list of names as `ls` prints them. */
struct con_stream_had {
    uint64_t *segments, *stamps; /* sorted */
    size_t n_segments, n_stamps;
};

/* From a file, "-" = standard input; NULL: nothing. Prints what is wrong; an HD_EXIT_*
 * code. own: _free, always. */
int con_stream_had_load(struct con_stream_had *had, const char *path);
void con_stream_had_free(struct con_stream_had *had);
bool con_stream_had_has(const struct con_stream_had *had, enum con_stream_kind kind,
                        uint64_t first);

/* Adds a segment. HD_E*: it cannot be read, or the stream not be written. */
int con_stream_add_segment(struct con_bundle_writer *writer,
                           const struct hd_check_file *file, uint64_t bytes) HD_MUST_USE;
/* Its stamp. HD_ENOENT: there is none. */
int con_stream_add_stamp(struct con_bundle_writer *writer, const char *dir,
                         uint64_t first) HD_MUST_USE;

/* ---- reading ---- */

struct con_stream_member {
    enum con_stream_kind kind;
    uint64_t first, bytes;
};

/* The next member, up to its content, which the caller reads from `fd`. HD_ENOENT: the
 * end. HD_ECORRUPT: it is no such stream, or it is cut off; `why` says what. */
int con_stream_next(int fd, struct con_stream_member *out,
                    char why[CON_BUNDLE_WHY]) HD_MUST_USE;
/* Behind the content of a member. Errors as above. */
int con_stream_end_member(int fd, const struct con_stream_member *member,
                          char why[CON_BUNDLE_WHY]) HD_MUST_USE;
/* Reads so many bytes, appended. HD_ECORRUPT: there are fewer. */
int con_stream_read(int fd, uint64_t bytes, struct hd_buf *out) HD_MUST_USE;
