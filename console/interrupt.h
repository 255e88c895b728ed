/* SPDX-License-Identifier: Apache-2.0
 *
 * Ctrl-C for commands that must leave order behind: asked for, not obeyed at once.
 * Threads made in between inherit that. One command at a time, any thread may ask.
 */
#pragma once
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

struct con_interrupt {
    sigset_t before;
    atomic_int signal; /* that came; 0 = none */
};

void con_interrupt_begin(struct con_interrupt *in);
/* Whether SIGINT or SIGTERM has come since. */
bool con_interrupt_asked(struct con_interrupt *in);
/* Ends the process by that signal, if one has come. */
void con_interrupt_end(struct con_interrupt *in);
