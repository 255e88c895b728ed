/* SPDX-License-Identifier: Apache-2.0
 *
 * The correlator as a whole: what is loaded from files, and the intake, detectors and
 * state thread that use it. Loop thread.
 */
#pragma once
#include <uv.h>

#include "correlator/conf.h"

struct cor_program;

int cor_program_new(struct cor_program **out) HD_MUST_USE;
void cor_program_free(struct cor_program *program);

/* Loads certificate, rules, decoders, inventory and databases, and keeps them for start.
 * Reports everything that is wrong; returns an HD_EXIT_* code. */
int cor_program_load(struct cor_program *program, const struct cor_conf *conf,
                     struct hd_diags *diags);
int cor_program_start(struct cor_program *program, uv_loop_t *loop,
                      const struct cor_conf *conf);
void cor_program_reload(struct cor_program *program);
void cor_program_stop(struct cor_program *program);
