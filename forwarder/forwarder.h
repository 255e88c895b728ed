/* SPDX-License-Identifier: Apache-2.0
 *
 * The program: receipts, HTTP, destinations and the status socket, put together. Loop
 * thread.
 */
#pragma once
#include <uv.h>

#include "forwarder/conf.h"

struct fwd_program;

/* Everything that the configuration names can be read and used. HD_EXIT_* code. */
int fwd_program_check(const struct fwd_conf *conf, struct hd_diags *diags);

/* own: *out, freed once the loop has closed everything after fwd_program_stop. Returns an
 * HD_EXIT_* code; on failure it has said why and closes what it had opened. */
int fwd_program_start(uv_loop_t *loop, const struct fwd_conf *conf,
                      struct fwd_program **out);
/* Profiles, tokens and certificates are read again; a destination whose files are not
 * right keeps what it has. */
void fwd_program_reload(struct fwd_program *program);
void fwd_program_stop(struct fwd_program *program);
