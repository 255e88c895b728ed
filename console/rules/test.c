/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang rules test: the examples that rules carry; with --events, see trial.c.
 */
#include "console/rules/test.h"

#include <haidang/json.h>

#include <stdio.h>

#include "console/rules/load.h"

void con_test_mark(const struct con_show *show, bool is_yes, const char *yes,
                   const char *no, struct hd_buf *out)
{
    const char *colour = is_yes ? "\033[32m" : "\033[33m";
    hd_buf_printf(out, "%s%s%s", show->has_colour ? colour : "", is_yes ? yes : no,
                  show->has_colour ? "\033[0m" : "");
}

static int test_examples(const struct con_args *args)
{
    struct con_rules rules = {.diags = {.emit = hd_diag_print, .ctx = stderr}};
    unsigned examples = 0, failed = 0;
    con_rules_load(&rules, args, &(struct con_sources){.n = 0});
    if (rules.set != NULL) {
        failed = rul_set_test(rules.set, &rules.diags, &examples);
        (void)printf(con_args_flag(args, "json") ? "{\"examples\":%u,\"failed\":%u}\n"
                                                 : "%u examples, %u failed\n",
                     examples, failed);
    }
    int code = con_rules_verdict(&rules);
    con_rules_fini(&rules);
    return code == HD_EXIT_OK && failed > 0 ? HD_EXIT_CONFIG : code;
}

int con_run_rules_test(const struct con_args *args)
{
    return con_args_value(args, "events") != NULL ? con_test_events(args)
                                                  : test_examples(args);
}
