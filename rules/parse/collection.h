/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule collections: files of several documents with `action`, as older rule sets and
 * pySigma have them.
 *
 *     action: global    this document's members go into every rule that follows
 *     action: reset     no more of that
 *     action: repeat    the rule before, with this document's members put over it
 *
 * Maps are put together member by member, anything else is replaced.
 */
#pragma once
#include "rules/parse/ast.h"

struct rul_collection { /* of one file; zeroed at first */
    const struct hd_yaml *global, *previous;
    uint32_t copied; /* nodes made here: bounded as those of a file are */
};

/* The rule that a document stands for; NULL: none of its own. HD_EPARSE (reported) or
 * HD_ENOMEM. */
int rul_collection_next(struct rul_reader *r, struct rul_collection *c,
                        const struct hd_yaml *doc,
                        const struct hd_yaml **rule) HD_MUST_USE;
