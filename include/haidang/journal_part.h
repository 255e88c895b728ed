/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments of a journal that lie within another file, such as a bundle of proof: they are
 * checked and read where they are, nothing is unpacked. Blocking; one thread an object.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/journal.h>
#include <haidang/journal_check.h>

/* Where the segment is; the descriptor is borrowed. */
struct hd_journal_part {
    int fd;
    uint64_t offset, bytes;
    const struct hd_journal_keys *keys; /* of what is encrypted; borrowed, may be NULL */
    struct hd_journal_key_id missing;   /* what the last HD_ENOKEY was about */
};

/* As hd_check_open, but what is checked is always `part` as it stands then; the path
 * given to hd_check_segment only names the segment. `part` is borrowed, too. */
int hd_check_open_part(const struct hd_check_opts *opts, struct hd_journal_part *part,
                       struct hd_check **out) HD_MUST_USE;

/* The entry at offset `at` of the segment, against its checksums. Its slices view `room`
 * (cleared first). HD_ECORRUPT: nothing that verifies stands there. HD_ENOKEY: it is
 * encrypted with a key that is not there. */
int hd_journal_part_entry(struct hd_journal_part *part, uint64_t at, struct hd_buf *room,
                          struct hd_journal_entry *entry) HD_MUST_USE;
