/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules test: runs the examples that rules carry.
 */
#include <stdio.h>

#include "console/rules/load.h"

int con_run_rules_test(const struct con_args *args)
{
    struct con_rules rules = {.diags = {.emit = hd_diag_print, .ctx = stderr}};
    unsigned examples = 0, failed = 0;
    con_rules_load(&rules, args, &(struct con_sources){.n = 0});
    if (rules.set != NULL) {
        failed = rul_set_test(rules.set, &rules.diags, &examples);
        (void)printf("%u examples, %u failed\n", examples, failed);
    }
    int code = con_rules_verdict(&rules);
    con_rules_fini(&rules);
    return code == HD_EXIT_OK && failed > 0 ? HD_EXIT_CONFIG : code;
}
