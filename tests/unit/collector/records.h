/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects the records of an inspector as jansson objects, for the packet tests.
 */
#pragma once
#include <jansson.h>

#include "collector/packet/inspect.h"
#include "tests/support/frames.h"

struct records {
    struct col_inspector *inspector;
    json_t *all; /* array */
    int link;
    size_t snap; /* bytes captured of each frame; 0 = all */
};

/* Fails the test on error. The options' emit and ctx are set here. */
void records_open(struct records *r, const struct col_inspect_opts *opts);
void records_close(struct records *r);
/* Ends all flows. */
void records_flush(struct records *r);
/* As the callback of hd_test_talk. */
void records_frame(void *ctx, int64_t ns, struct hd_slice frame);
/* Reads a capture file to its end. */
void records_file(struct records *r, const char *path);

/* How many records are of that type. */
size_t records_count(const struct records *r, const char *event_type);
/* The n-th of that type, from 0; fails the test when there is none. */
const json_t *records_get(const struct records *r, const char *event_type, size_t n);
/* Member by dotted path as text; "" when absent. */
const char *records_text(const json_t *record, const char *path);
json_int_t records_int(const json_t *record, const char *path);
