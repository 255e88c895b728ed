/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of a journal whose entries are text: of losses, of receipts. An anonymous
 * reader, up to what is durable. What cannot be read is counted, the rest is given out.
 */
#pragma once
#include <haidang/journal.h>

struct con_journal_lines {
    const char *dir;
    const struct hd_journal_keys *keys; /* borrowed; NULL: none */
    int64_t since_ns, until_ns;         /* entries that may hold some of it are read */
    /* HD_EPARSE: the line cannot be read, it is counted. Other errors end the reading. */
    int (*take)(void *ctx, struct hd_slice line);
    void *ctx;
    uint64_t bad;                     /* out: lines and places that cannot be read */
    struct hd_journal_key_id missing; /* out: what HD_ENOKEY is about */
};

/* HD_E*: what `take` said, or the directory cannot be read. A directory without any
 * segment has no lines. */
int con_journal_lines(struct con_journal_lines *lines) HD_MUST_USE;
