/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile from inside. Strings and JSON values are borrowed from `root`, which lives as
 * long as the profile.
 */
#pragma once
#include "forwarder/profile/profile.h"

#define FWD_FROM_MAX 4U

enum fwd_source {
    FWD_SOURCE_FROM,    /* a path of the alert; the first of several that is there */
    FWD_SOURCE_CONST,   /* always this value */
    FWD_SOURCE_SETTING, /* a value of the configuration */
    FWD_SOURCE_EMITTED, /* 1 when the named sibling is in the message, else 0 */
    FWD_SOURCE_OBJECT,  /* fields of its own */
};

enum fwd_as {
    FWD_AS_STRING,
    FWD_AS_INTEGER,
    FWD_AS_NUMBER,
    FWD_AS_EPOCH_S,  /* RFC 3339 -> seconds with `digits` decimals */
    FWD_AS_EPOCH_MS, /* RFC 3339 -> milliseconds */
    FWD_AS_RFC3339,  /* RFC 3339 with `digits` decimals */
    FWD_AS_IP,
};

enum fwd_absent { FWD_ABSENT_REJECT, FWD_ABSENT_OMIT, FWD_ABSENT_NULL, FWD_ABSENT_CONST };

struct fwd_field {
    const char *out;
    enum fwd_source source;
    const char *from[FWD_FROM_MAX];
    size_t n_from;
    const json_t *value; /* of CONST */
    const char *name;    /* of SETTING, EMITTED */
    struct fwd_field *object;
    size_t n_object;
    enum fwd_as as;
    int digits;
    const json_t *table; /* enum; NULL = none */
    enum fwd_absent absent;
    const json_t *absent_value;
    const json_t *omit_if; /* a scalar or an array of scalars */
    bool mask;             /* always mask this address */
    int64_t trunc;         /* code points; 0 = no */
    bool has_min, has_max;
    double min, max;          /* of numbers */
    int64_t min_len, max_len; /* of strings, in code points; max_len 0 = no limit */
    int64_t hex;              /* exactly so many lower case hex digits; 0 = no */
};

struct fwd_profile {
    struct fwd_profile_info info;
    json_t *root;
    char *name;
    struct fwd_field *fields;
    size_t n_fields;
    enum { FWD_FRAME_OBJECT, FWD_FRAME_ARRAY, FWD_FRAME_NDJSON } framing;
    bool mask_unregistered;
    const json_t *ack[4]; /* by enum fwd_class; arrays of integers */
};

/* Where a problem is: the file and the JSON pointer down to it. */
struct fwd_load {
    const char *file;
    struct hd_diags *diags;
    const json_t *enums;
    const json_t *privacy;
    char pointer[512];
    size_t len;
};

void fwd_load_error(struct fwd_load *load, const char *key, const char *fmt, ...)
    HD_PRINTF(3, 4);
size_t fwd_load_enter(struct fwd_load *load, const char *key);
size_t fwd_load_enter_at(struct fwd_load *load, size_t index);
void fwd_load_leave(struct fwd_load *load, size_t was);
/* Reports members of `object` that are not among `keys`. */
void fwd_load_known(struct fwd_load *load, const json_t *object, const char *const *keys,
                    size_t n);
/* A text member of 1..max bytes. NULL when absent or wrong (reported). */
const char *fwd_load_text(struct fwd_load *load, const json_t *object, const char *key,
                          bool is_required, size_t max);
/* An integer member within min..max; `absent` when absent or wrong (reported). */
int64_t fwd_load_int(struct fwd_load *load, const json_t *object, const char *key,
                     int64_t min, int64_t max, int64_t absent);
/* Index of a text member in a list of words; `absent` when absent or wrong (reported). */
int fwd_load_word(struct fwd_load *load, const json_t *object, const char *key,
                  const char *const *words, int absent);

/* profile/load_field.c. own: *fields is freed with fwd_fields_free. */
int fwd_fields_load(struct fwd_load *load, const json_t *array, int depth,
                    struct fwd_field **fields, size_t *n) HD_MUST_USE;
void fwd_fields_free(struct fwd_field *fields, size_t n);
