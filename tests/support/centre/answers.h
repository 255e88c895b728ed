/* SPDX-License-Identifier: Apache-2.0
 *
 * What the test centre answers, as a list of words, one used by each request, the last
 * one for ever:
 *
 *     200            this status              429:2   with Retry-After: 2
 *     slow:500       200 after 500 ms         hang    never
 *     reset          RST before an answer     drop    takes the alert, then RST
 *     big            200 and 2 MiB of text
 */
#pragma once
#include <haidang/err.h>
#include <haidang/slice.h>

#define ANSWERS_MAX 64

enum answer_kind {
    ANSWER_STATUS,
    ANSWER_SLOW,
    ANSWER_HANG,
    ANSWER_RESET,
    ANSWER_DROP,
    ANSWER_BIG
};

struct answer {
    enum answer_kind kind;
    uint64_t status;
    uint64_t number; /* Retry-After in s, delay in ms */
};

struct answers {
    struct answer list[ANSWERS_MAX];
    size_t n, next;
};

/* HD_EPARSE leaves *out as it was. */
int answers_parse(struct hd_slice text, struct answers *out) HD_MUST_USE;
struct answer answers_take(struct answers *answers);
