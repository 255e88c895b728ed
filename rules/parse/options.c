/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of a correlation that Sigma has no word for, in the `haidang` map: `window`,
 * `null_group` and `reset` (docs/correlation.md). Part of the rule's meaning.
 */
#include <haidang/hash.h>
#include <haidang/num.h>

#include "rules/parse/ast.h"

static int read_flag(const struct rul_reader *r, const struct hd_yaml *v, bool *out)
{
    return v->kind == HD_YAML_SCALAR && hd_num_bool(v->text, out) == 0
               ? 0
               : rul_refuse(r, v, "'haidang.%.*s' wants true or false",
                            HD_SLICE_FMT(v->key->text));
}

int rul_option_read(const struct rul_reader *r, const struct hd_yaml *v,
                    struct rul_corr_options *options)
{
    options->at = options->at == NULL ? v->key : options->at;
    if (hd_yaml_is(v->key, "null_group")) {
        return read_flag(r, v, &options->null_group);
    }
    if (hd_yaml_is(v->key, "reset")) {
        return read_flag(r, v, &options->reset);
    }
    if (hd_yaml_is(v->key, "window")) {
        options->is_tumbling = hd_yaml_is(v, "tumbling");
        return options->is_tumbling || hd_yaml_is(v, "sliding")
                   ? 0
                   : rul_refuse(r, v, "'haidang.window' must be sliding or tumbling");
    }
    return rul_refuse(r, v->key,
                      "unknown key 'haidang.%.*s': title_vi, description_vi, delivery, "
                      "examples, window, null_group and reset are known",
                      HD_SLICE_FMT(v->key->text));
}

/* What says what would hold without it changes nothing. */
uint64_t rul_options_hash(const struct rul_corr_options *options, uint64_t hash)
{
    uint8_t bits[] = {options->null_group, options->reset, options->is_tumbling};
    bool is_plain = !options->null_group && !options->reset && !options->is_tumbling;
    return is_plain ? hash : hd_hash_stable(hd_slice(bits, sizeof(bits)), hash);
}
