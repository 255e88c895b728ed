/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent as a whole: opens intake, sources, status and uplink; closes sources, uplink,
 * intake and status, so that what a source still holds reaches the spool and what was
 * acknowledged is saved. Agent loop thread.
 */
#pragma once
#include <uv.h>

#include <haidang/diag.h>

#include "collector/conf.h"

struct col_agent;

/* own: free after the loop has ended. NULL when out of memory. */
struct col_agent *col_agent_new(void);
void col_agent_free(struct col_agent *agent);

/* The callbacks of struct hd_program; ctx is the agent, conf a struct col_conf. */
int col_agent_check(const void *conf, struct hd_diags *diags);
int col_agent_start(void *ctx, uv_loop_t *loop, const void *conf);
void col_agent_reload(void *ctx);
void col_agent_stop(void *ctx);
