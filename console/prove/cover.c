/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/cover.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/fs.h>

#include "console/archive_stamps.h"

/* What the next statement has to name. */
struct link {
    uint64_t first;
    uint8_t digest[HD_SHA256_LEN];
};

static struct link link_of(const struct con_segment *segment)
{
    struct link link = {.first = segment->first};
    memcpy(link.digest, segment->state.statement_sha256, sizeof(link.digest));
    return link;
}

/* Moves on to this statement. HD_ECORRUPT: it does not follow. */
static int follow(struct link *link, const struct hd_seal *seal,
                  struct hd_slice statement)
{
    if (seal->previous != link->first ||
        memcmp(seal->previous_sha256, link->digest, sizeof(link->digest)) != 0) {
        return HD_ECORRUPT;
    }
    link->first = seal->first;
    return hd_sha256(statement, link->digest);
}

/* ---- checking ---- */

int con_cover_digest(const struct con_segment *segment, uint8_t digest[HD_SHA256_LEN],
                     uint64_t *last)
{
    struct link link = link_of(segment);
    struct hd_slice rest = hd_buf_slice(&segment->chain);
    int err = HD_OK;
    while (err == HD_OK && rest.len > 0) {
        struct hd_slice statement = HD_SLICE_EMPTY;
        struct hd_seal seal;
        err = hd_seal_next(&rest, &seal, &statement);
        err = err == HD_OK ? follow(&link, &seal, statement) : HD_ECORRUPT;
    }
    memcpy(digest, link.digest, sizeof(link.digest));
    *last = link.first;
    return err;
}

/* ---- finding ---- */

static void on_problem(void *ctx, const struct hd_check_finding *finding)
{
    (void)ctx; /* peeking tells none */
    (void)finding;
}

/* Appends the statement of a segment. HD_ENOENT: it is gone, or was never sealed. */
static int add(struct con_segment *segment, struct hd_check *check, const char *dir,
               uint64_t first, struct link *link)
{
    struct hd_check_segment seg;
    struct hd_seal seal;
    struct hd_seal_text text;
    char path[PATH_MAX];
    int err = hd_journal_segment_path(dir, first, path, sizeof(path));
    err = err == HD_OK ? hd_check_peek(check, path, &seg) : err;
    if (err != HD_OK || !seg.is_stated) {
        return err == HD_OK ? HD_ENOENT : err;
    }
    err = hd_seal_decode(hd_check_statement(check), &seal, &text);
    err = err == HD_OK ? follow(link, &seal, text.statement) : err;
    if (err == HD_OK) {
        hd_buf_slice_add(&segment->chain, text.statement);
    }
    return err == HD_OK ? segment->chain.err : err;
}

struct nearest {
    uint64_t after, first; /* the nearest after that one; 0 = none */
};

static int see(void *ctx, const char *name)
{
    struct nearest *nearest = ctx;
    uint64_t first = 0;
    if (hd_stamp_name_parse(name, HD_STAMP_REPLY_END, &first) && first > nearest->after &&
        (nearest->first == 0 || first < nearest->first)) {
        nearest->first = first;
    }
    return HD_OK;
}

/* HD_ENOENT: no stamp follows. */
static int find_nearest(const char *dir, uint64_t after, uint64_t *first)
{
    struct nearest nearest = {.after = after};
    char stamps[PATH_MAX];
    int len = snprintf(stamps, sizeof(stamps), "%s/" HD_STAMP_DIR, dir);
    int err = len > 0 && (size_t)len < sizeof(stamps) ? hd_fs_each(stamps, see, &nearest)
                                                      : HD_EINVAL;
    *first = nearest.first;
    return err == HD_OK && nearest.first == 0 ? HD_ENOENT : err;
}

/* From the segment to the one with the stamp, passing over what was never sealed. */
static int walk(struct con_segment *segment, struct hd_check *check, const char *dir,
                uint64_t stamped)
{
    struct hd_journal_segments list;
    struct link link = link_of(segment);
    int err = hd_journal_list(dir, &list);
    for (size_t i = 0; err == HD_OK && i < list.n && list.first[i] <= stamped; i++) {
        if (list.first[i] > segment->first) {
            err = add(segment, check, dir, list.first[i], &link);
            err = err == HD_ENOENT ? HD_OK : err;
        }
    }
    free(list.first);
    return err == HD_OK && link.first != stamped ? HD_ENOENT : err;
}

int con_cover_find(const char *dir, struct con_segment *segment)
{
    const struct hd_check_opts opts = {.found = on_problem};
    struct hd_check *check = NULL;
    uint64_t stamped = 0;
    hd_buf_init(&segment->chain, CON_COVER_MAX);
    int err = find_nearest(dir, segment->first, &stamped);
    err = err == HD_OK ? hd_check_open(&opts, &check) : err;
    err = err == HD_OK ? walk(segment, check, dir, stamped) : err;
    err = err == HD_OK ? con_archive_stamp_read(dir, stamped, &segment->stamp) : err;
    hd_check_close(check);
    if (err != HD_OK) {
        hd_buf_fini(&segment->chain);
    }
    bool is_none = err == HD_ENOENT || err == HD_ECORRUPT || err == HD_ELIMIT;
    return is_none ? HD_OK : err;
}
