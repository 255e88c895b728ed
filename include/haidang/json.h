/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON append-writer for hot paths (packet records, events): RFC 8259 text into an
 * hd_buf, commas and escapes taken care of. Invalid UTF-8 becomes U+FFFD. Off the hot
 * path use jansson.
 */
#pragma once
#include <stdbool.h>

#include <haidang/buf.h>

struct hd_json {
    struct hd_buf *out;   /* borrowed */
    uint32_t has_members; /* bit per depth */
    unsigned depth;       /* < 32 */
    bool after_key;       /* hd_json_key was last */
};

static inline struct hd_json hd_json(struct hd_buf *out)
{
    return (struct hd_json){out, 0, 0, false};
}

/* key == NULL inside arrays and for the outermost value. Keys are literals: not escaped.
 */
void hd_json_object(struct hd_json *j, const char *key);
void hd_json_array(struct hd_json *j, const char *key);
void hd_json_end(struct hd_json *j, char bracket); /* '}' or ']' */
void hd_json_str(struct hd_json *j, const char *key, struct hd_slice value);
void hd_json_cstr(struct hd_json *j, const char *key, const char *value);
void hd_json_u64(struct hd_json *j, const char *key, uint64_t value);
void hd_json_i64(struct hd_json *j, const char *key, int64_t value);
void hd_json_bool(struct hd_json *j, const char *key, bool value);
void hd_json_null(struct hd_json *j, const char *key);
void hd_json_time(struct hd_json *j, const char *key, int64_t ns,
                  int digits); /* RFC 3339 */
/* A key that comes from data (escaped), followed by one value call with key NULL. */
void hd_json_key(struct hd_json *j, struct hd_slice key);

/* Appends `"value"` with quotes and escapes. */
void hd_json_quote(struct hd_buf *out, struct hd_slice value);
