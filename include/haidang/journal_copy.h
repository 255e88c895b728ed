/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal that is put together from segments of another: exports, imports, repairs. A
 * segment is made aside (DIR/.part) and gets its name when it is whole and durable; what
 * has a name is never replaced. Blocking; one thread an object.
 */
#pragma once
#include <haidang/journal_check.h>

struct hd_journal_copy;

/* Makes the directory and locks it as a writer does; what one that was interrupted left
 * aside is removed. own: until close. HD_EBUSY: a writer or another copy has it. */
int hd_journal_copy_open(const char *dir, struct hd_journal_copy **out) HD_MUST_USE;
/* What was not placed goes. */
void hd_journal_copy_close(struct hd_journal_copy *copy);

/* Where a segment is until it is placed. HD_EINVAL: too long. */
int hd_journal_copy_path(const struct hd_journal_copy *copy, uint64_t first, char *out,
                         size_t cap) HD_MUST_USE;

/* Aside, byte for byte: the first `bytes` of the file. HD_ECORRUPT: it has less. */
int hd_journal_copy_file(struct hd_journal_copy *copy, const struct hd_check_file *file,
                         uint64_t bytes) HD_MUST_USE;

/* The same of what is read from a descriptor that need not be a file. */
int hd_journal_copy_stream(struct hd_journal_copy *copy, int fd, uint64_t first,
                           uint64_t bytes) HD_MUST_USE;

/* Aside, entry by entry, as hd_check_opts.entry gives them; without a statement. End
 * returns HD_ENOENT when there was no entry: then there is no segment either. */
int hd_journal_copy_begin(struct hd_journal_copy *copy, const uint8_t journal[16],
                          uint64_t first) HD_MUST_USE;
int hd_journal_copy_entry(struct hd_journal_copy *copy,
                          const struct hd_journal_entry *entry,
                          struct hd_slice bytes) HD_MUST_USE;
int hd_journal_copy_end(struct hd_journal_copy *copy) HD_MUST_USE;

/* What is aside is not wanted: it goes at once, not only at the end. */
void hd_journal_copy_drop(struct hd_journal_copy *copy, uint64_t first);

/* What is aside gets its name; durable. HD_EEXIST: there is one of that name. */
int hd_journal_copy_place(struct hd_journal_copy *copy, uint64_t first) HD_MUST_USE;

/* Lets readers read what is there. `last`: the last segment, as it was checked. */
int hd_journal_copy_mark(struct hd_journal_copy *copy,
                         const struct hd_check_segment *last) HD_MUST_USE;
