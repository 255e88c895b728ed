/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks a running program over its status socket.
 */
#pragma once
#include <jansson.h>

#include "console/command.h"
#include "console/show.h"

#define CON_RUN_DIR "/run/haidang"

/* What the program ("correlator") says at a path ("/status"). run_dir NULL: CON_RUN_DIR.
 * own: NULL when it does not answer; `why` then says why. */
json_t *con_ask(const char *run_dir, const char *program, const char *path,
                char why[256]);
/* Asks the correlator in the directory that --run-dir names, and prints what it says in
 * the reader's language. Prints also why it does not answer; an HD_EXIT_* code. */
int con_ask_and_show(const struct con_args *args, const char *path,
                     int (*print)(const struct con_args *args,
                                  const struct con_show *show, json_t *answer));
