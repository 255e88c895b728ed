/* SPDX-License-Identifier: Apache-2.0 */
#include "console/rules/steps.h"

#include <haidang/utf8.h>

const char *con_step_kind(const struct rul_step *step)
{
    static const char *const kinds[] = {[RUL_STEP_ALL] = "all",
                                        [RUL_STEP_ANY] = "any",
                                        [RUL_STEP_NOT] = "not",
                                        [RUL_STEP_COMPARE] = "compare",
                                        [RUL_STEP_FILTER] = "filter"};
    return kinds[step->kind];
}

void con_step_write(const struct con_show *show, const struct rul_step *step,
                    struct hd_buf *out)
{
    switch (step->kind) {
    case RUL_STEP_ALL:
        hd_buf_str(out, con_show_say(show, "all of", "tất cả"));
        break;
    case RUL_STEP_ANY:
        if (step->n > 1) {
            hd_buf_printf(out, "%s %u", con_show_say(show, "at least", "ít nhất"),
                          step->n);
        } else {
            hd_buf_str(out, con_show_say(show, "any of", "một trong"));
        }
        break;
    case RUL_STEP_NOT:
        hd_buf_str(out, con_show_say(show, "not", "không"));
        break;
    case RUL_STEP_FILTER:
        hd_buf_str(out, con_show_say(show, "filter: ", "bộ lọc: "));
        hd_utf8_escape(out, step->text);
        break;
    default:
        hd_utf8_escape(out, step->text);
    }
}

void con_source_write(const struct rul_logsource *source, struct hd_buf *out)
{
    const struct hd_slice parts[] = {source->product, source->category, source->service};
    static const char *const names[] = {"product=", "category=", "service="};
    const char *between = "";
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len > 0) {
            hd_buf_str(out, between);
            hd_buf_str(out, names[i]);
            hd_buf_slice_add(out, parts[i]);
            between = ",";
        }
    }
}
