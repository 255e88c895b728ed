/* SPDX-License-Identifier: Apache-2.0
 *
 * Text patterns of decoders: literals and typed captures, no regular expressions.
 *
 *     Failed password for <user.name:greedy> from <source.ip:ip> port <source.port:uint>
 *
 * A pattern is matched from the start of the message; bytes behind its last element do
 * not matter. Each capture's end is decided on the spot and never revised, so matching is
 * linear in the message. "<<" is a literal "<". docs/adding-a-decoder.md has the types.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/err.h>

#define RUL_PATTERN_CAPTURES_MAX 32U

#define RUL_CAPTURE_MAP(X)                                                               \
    X(RUL_CAPTURE_UNTIL, "until")   /* up to the first place of the next literal */      \
    X(RUL_CAPTURE_GREEDY, "greedy") /* up to the last place of the next literal */       \
    X(RUL_CAPTURE_WORD, "word")     /* no spaces, not empty; also ends at the next       \
                                       literal's first byte */                           \
    X(RUL_CAPTURE_IP, "ip")                                                              \
    X(RUL_CAPTURE_UINT, "uint")                                                          \
    X(RUL_CAPTURE_QUOTED, "quoted") /* "..." with \" inside; the value has no quotes */  \
    X(RUL_CAPTURE_REST, "rest")                                                          \
    X(RUL_CAPTURE_KV, "kv")             /* key=value pairs to the end, spaces between */ \
    X(RUL_CAPTURE_KV_COMMA, "kv-comma") /* the same, commas between */                   \
    X(RUL_CAPTURE_CEF, "cef")           /* the same, as rules/decode/pairs.h says */     \
    X(RUL_CAPTURE_LEEF, "leef")                                                          \
    X(RUL_CAPTURE_AUDIT, "audit")                                                        \
    X(RUL_CAPTURE_PIPED, "piped") /* up to a "|" without a backslash before it */        \
    X(RUL_CAPTURE_TIME_ISO, "time-iso")                                                  \
    X(RUL_CAPTURE_TIME_CLF, "time-clf")                                                  \
    X(RUL_CAPTURE_TIME_CTIME, "time-ctime")
#define RUL_CAPTURE_ENUM(id, name) id,
enum rul_capture_type { RUL_CAPTURE_MAP(RUL_CAPTURE_ENUM) RUL_CAPTURES };
#undef RUL_CAPTURE_ENUM

/* Takes the rest, which is key=value pairs. */
static inline bool rul_capture_is_pairs(enum rul_capture_type type)
{
    return type >= RUL_CAPTURE_KV && type <= RUL_CAPTURE_AUDIT;
}

struct rul_pattern_step {
    bool is_literal;
    uint8_t capture;         /* index, when it is one */
    struct hd_slice literal; /* its own, or what ends the capture */
};

struct rul_pattern_capture {
    enum rul_capture_type type;
    struct hd_slice name; /* "" = matched, not kept */
};

struct rul_pattern {
    uint8_t n_steps;
    uint8_t n_captures;
    struct rul_pattern_step *steps;
    struct rul_pattern_capture *captures;
    struct hd_slice first; /* the literal it begins with; may be empty */
};

struct rul_pattern_error {
    size_t at; /* offset in the text */
    char why[160];
};

/* own: steps live in the arena. HD_EPARSE (err says why) or HD_ENOMEM. */
int rul_pattern_compile(struct hd_arena *arena, struct hd_slice text,
                        struct rul_pattern *out,
                        struct rul_pattern_error *err) HD_MUST_USE;

/* values: room for n_captures. *used (may be NULL) is where the pattern ended. */
bool rul_pattern_match(const struct rul_pattern *pattern, struct hd_slice message,
                       struct hd_slice *values, size_t *used);
