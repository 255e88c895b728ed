/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a search looks: hosts, agents, sources and decoded fields. Words are compared as
 * a whole and without case; "*" stands for any text, "?" for one character. Of one kind
 * any word will do; of the kinds, and of the fields, all must hold.
 */
#pragma once
#include "console/command.h"
#include "rules/decode/decode.h"

struct con_words {
    char *list[CON_LIST_MAX]; /* folded */
    size_t n;
};

struct con_where_field {
    char *name, *value; /* value folded */
    uint16_t id;
};

struct con_where { /* shared by threads once made */
    struct con_words hosts, agents, sources;
    struct con_where_field fields[CON_LIST_MAX];
    size_t n_fields;
    struct rul_fields *names;
    struct rul_decoders *decoders; /* NULL: there are no fields */
};

struct con_where_scratch { /* one a thread */
    struct hd_buf folded;
    struct rul_decode_scratch *decode;
    struct rul_event *event;
    bool has_decoded;      /* fields of some line were looked at */
    uint64_t fields_found; /* a bit a field: some line had it */
};

/* From --host --agent --source --field --decoders --zone. Prints what is wrong; HD_E*.
 * own: con_where_fini, also on failure. */
int con_where_init(struct con_where *where, const struct con_args *args) HD_MUST_USE;
void con_where_fini(struct con_where *where);

int con_where_scratch_init(struct con_where_scratch *scratch,
                           const struct con_where *where) HD_MUST_USE;
void con_where_scratch_fini(struct con_where_scratch *scratch);

/* The values of an option. own: con_words_fini, also on failure. */
int con_words_init(struct con_words *words, const struct con_args *args,
                   const char *name) HD_MUST_USE;
void con_words_fini(struct con_words *words);
/* No words: everything will do. */
bool con_words_match(const struct con_words *words, struct hd_slice text,
                     struct hd_buf *room);
bool con_where_has_source(const struct con_where *where,
                          const struct hd_batch_source *source, struct hd_buf *room);
bool con_where_has_fields(const struct con_where *where,
                          struct con_where_scratch *scratch,
                          const struct rul_record *record);
/* Says which of the fields no line had, by the bits of all scratches. */
void con_where_tell_missing(const struct con_where *where, uint64_t fields_found);

/* Both folded. */
bool con_wild_match(struct hd_slice pattern, struct hd_slice text);
