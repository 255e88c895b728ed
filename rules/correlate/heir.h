/* SPDX-License-Identifier: Apache-2.0
 *
 * May a correlation go on with the state of the one that had its id before? What decides
 * that is in its sign, which is saved with the state. docs/correlation.md, "Reload".
 */
#pragma once
#include "rules/correlate/correlate.h"
#include "rules/snapshot.h"

struct rul_sign {
    uint64_t type, timing;
    uint64_t group;     /* of hashes: group-by and null_group */
    uint64_t counted;   /* the rules counted, and what of them */
    uint64_t condition; /* temporal: alternatives, order */
    uint64_t numbers;   /* of the condition */
    uint64_t needed;    /* value_count: so many values are kept */
    int64_t timespan_ns;
};
#define RUL_SIGN_WORDS (sizeof(struct rul_sign) / sizeof(uint64_t))

struct rul_sign rul_sign_of(const struct rul_set *set, const struct rul_corr *corr);
/* RUL_HEIR_KEPT, or why not. */
enum rul_heir rul_heir_judge(const struct rul_sign *was, const struct rul_sign *is);
/* NULL: it has none. */
const struct rul_corr *rul_corr_of_id(const struct rul_set *set, const char *id);
/* Groups that hold `was` values may have had more, and more are counted now. */
bool rul_heir_lacks_values(const struct rul_sign *was, const struct rul_sign *is);
