/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang-agent: ships lines as they were to a correlator.
 */
#include <haidang/main.h>

#include "collector/agent.h"

int main(int argc, char **argv)
{
    static struct col_conf conf;
    struct col_agent *agent = col_agent_new();
    if (agent == NULL) {
        return HD_EXIT_RUNTIME;
    }
    const struct hd_program program = {.name = "haidang-agent",
                                       .summary = "ships log lines to a correlator",
                                       .default_config = "/etc/haidang/agent.yml",
                                       .schema = &col_conf_schema,
                                       .conf = &conf,
                                       .log = &conf.log,
                                       .check = col_agent_check,
                                       .start = col_agent_start,
                                       .reload = col_agent_reload,
                                       .stop = col_agent_stop,
                                       .ctx = agent};
    int code = hd_program_run(&program, argc, argv);
    col_agent_free(agent);
    return code;
}
