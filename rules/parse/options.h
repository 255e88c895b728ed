/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of a correlation that Sigma has no word for, in the `haidang` map: `window`,
 * `gap`, `null_group` and `reset` (docs/correlation.md). Part of the rule's meaning.
 */
#pragma once
#include <haidang/yaml.h>

struct rul_reader;
struct rul_doc;

struct rul_corr_options { /* beyond Sigma: the `haidang` map of a correlation */
    bool null_group;      /* an event without a group-by field has a group, too */
    bool reset;           /* what has fired does not count any more */
    enum {
        RUL_WINDOW_SLIDING,
        RUL_WINDOW_TUMBLING, /* windows stand one behind the other */
        RUL_WINDOW_SESSION   /* a window lasts as long as events follow each other */
    } window;
    int64_t gap_ns;           /* session: no event for so long ends it; 0: not given */
    const struct hd_yaml *at; /* where the first one stands; NULL: none is given */
    const struct hd_yaml *window_at, *gap_at;
};

/* One member of the `haidang` map that is none of its texts. */
int rul_option_read(const struct rul_reader *r, const struct hd_yaml *v,
                    struct rul_corr_options *options) HD_MUST_USE;
/* Do the options that were read fit the document? Reports. */
int rul_options_check(const struct rul_reader *r, const struct rul_doc *doc) HD_MUST_USE;
uint64_t rul_options_hash(const struct rul_corr_options *options, uint64_t hash);
