/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules check: every problem of the rules, with the compiler of the correlator.
 */
#include <stdio.h>

#include "console/rules/load.h"

int con_run_rules_check(const struct con_args *args)
{
    struct con_rules rules;
    int code = con_rules_load(&rules, args, hd_diag_print, stderr);
    if (code == HD_EXIT_OK) {
        (void)printf("%zu rules, %u errors, %u warnings, %lld ms\n",
                     rules.set != NULL ? rul_set_count(rules.set) : 0, rules.diags.errors,
                     rules.diags.warnings, (long long)rules.took_ms);
        code = con_rules_verdict(&rules);
    }
    con_rules_fini(&rules);
    return code;
}
