/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks a running program over its status socket.
 */
#pragma once
#include <jansson.h>

#include "console/command.h"

#define CON_RUN_DIR "/run/haidang"

/* What the program ("correlator") says at a path ("/status"). run_dir NULL: CON_RUN_DIR.
 * own: NULL when it does not answer; `why` then says why. */
json_t *con_ask(const char *run_dir, const char *program, const char *path,
                char why[256]);
/* The correlator, in the directory that --run-dir names. own: NULL: it does not answer,
 * and that was printed. */
json_t *con_ask_correlator(const struct con_args *args, const char *path);
