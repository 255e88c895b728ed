/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done with segments after they were sealed: write-once files, requests for
 * time stamps, a second copy in the mirror. The work is done aside, one segment at a
 * time, so that an end never waits for long and intake never. Loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/json.h>
#include <haidang/sign.h>

#include "correlator/conf.h"

#define COR_KEEP_JOURNALS 3U

struct cor_keep_journal {
    const char *name, *dir;
    int write_once; /* enum hd_freeze */
};

struct cor_keep_opts {
    uv_loop_t *loop;
    const struct cor_conf *conf;
    struct cor_keep_journal journals[COR_KEEP_JOURNALS]; /* the strings are copied */
    struct hd_sign_key *key;
    void (*closed)(void *ctx);
    void *ctx;
};

struct cor_keep;

/* `conf` and `key` are borrowed until `closed`. own: until then. */
int cor_keep_open(const struct cor_keep_opts *opts, struct cor_keep **out) HD_MUST_USE;
/* Looks aside, now and again and again, whether there is something to do, and does it. */
void cor_keep_run(struct cor_keep *keep);
/* Ends after the segment at hand; `closed` is called once, later. */
void cor_keep_close(struct cor_keep *keep);

void cor_keep_refresh(const struct cor_keep *keep);
void cor_keep_status(const struct cor_keep *keep, struct hd_json *j);
void cor_keep_problems(const struct cor_keep *keep,
                       void (*say)(void *ctx, const char *text), void *ctx);
