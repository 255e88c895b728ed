/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention of the archive by a file of rules (<haidang/retain.h>): every so often it is
 * read anew, and the archive from its oldest entry on, aside, up to the first entry that
 * stays. A file that cannot be used removes nothing and is a problem. Loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/err.h>
#include <haidang/journal_keys.h>

struct cor_expire;

struct cor_expire_opts {
    uv_loop_t *loop;
    const char *file, *dir;             /* borrowed until it is closed */
    const struct hd_journal_keys *keys; /* so, too; NULL: none */
    int64_t every_ns;
    /* Entries below this index are past their time; never after close was called. */
    void (*release)(void *ctx, uint64_t index);
    /* Nothing uses what was borrowed any more. */
    void (*closed)(void *ctx);
    void *ctx;
};

int cor_expire_open(const struct cor_expire_opts *opts,
                    struct cor_expire **out) HD_MUST_USE;
/* Frees itself when the loop has closed its handles and what it reads is left. */
void cor_expire_close(struct cor_expire *expire);
/* HD_OK, or why nothing was removed last time. NULL: HD_OK. */
int cor_expire_trouble(const struct cor_expire *expire);
