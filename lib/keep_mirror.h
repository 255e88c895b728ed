/* SPDX-License-Identifier: Apache-2.0
 *
 * A second copy of a journal's sealed segments and their time stamps in another directory
 * (docs/operations.md, "A second copy"). What is missing is told by the two directories;
 * nothing else is remembered. A copy gets its name when it was read back from its disk
 * and verified. Blocking; one thread an object.
 */
#pragma once
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <haidang/sign.h>

#define HD_MIRROR_WHY 384U

struct hd_mirror_opts {
    const char *name; /* of the journal, and of its directory below `base` */
    const char *from;
    const char *base;  /* must be there: it is never made, since a disk belongs there */
    bool any_disk;     /* it may be on the disk of the journal */
    int64_t retain_ns; /* the mirror's own retention; 0 = nothing goes */
    struct hd_sign_key *key; /* of the journal's seals; borrowed */
    const atomic_bool *stop; /* asked between two entries */
};

struct hd_mirror_state {
    uint64_t behind, behind_bytes; /* sealed segments that the mirror does not hold */
    int64_t oldest_ns;             /* when the oldest of them was sealed; 0 = none is */
    uint64_t placed, placed_bytes, removed, failed; /* since the beginning */
    bool is_more;            /* another step has something to do now */
    char why[HD_MIRROR_WHY]; /* what hinders, for people; "" = nothing */
};

struct hd_mirror {
    struct hd_mirror_opts opts; /* what it points to is borrowed */
    struct hd_mirror_state state;
    char to[PATH_MAX];
    uint64_t after;              /* segments up to this one were tried in this round */
    struct timespec stamps_seen; /* all stamps that were there then are in the mirror */
    uint64_t held;               /* the newest segment that it was seen to hold */
    char found[HD_MIRROR_WHY];   /* the first thing that hindered in this round */
};

/* HD_EINVAL: the path is too long. */
int hd_mirror_init(struct hd_mirror *mirror,
                   const struct hd_mirror_opts *opts) HD_MUST_USE;

/* Copies at most one segment, the oldest that is missing, and looks how much is. A round
 * is over when state.is_more is false; what could not be copied in it is tried again in
 * the next. */
void hd_mirror_step(struct hd_mirror *mirror);
