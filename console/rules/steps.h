/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled tree of a rule for people and for pipes.
 */
#pragma once
#include "console/show.h"
#include "rules/explain.h"

/* "all of", "Image|endswith: 'x'": what the step is, without its place in the tree. */
void con_step_write(const struct con_show *show, const struct rul_step *step,
                    struct hd_buf *out);
/* "all", "any", "not", "compare", "filter". */
const char *con_step_kind(const struct rul_step *step);
/* "product=linux, service=sshd". */
void con_source_write(const struct rul_logsource *source, struct hd_buf *out);
