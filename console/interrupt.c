/* SPDX-License-Identifier: Apache-2.0 */
#include "console/interrupt.h"

#include <stddef.h>
#include <time.h>

static void the_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

void con_interrupt_begin(struct con_interrupt *in)
{
    sigset_t set;
    the_signals(&set);
    atomic_init(&in->signal, 0);
    (void)pthread_sigmask(SIG_BLOCK, &set, &in->before);
}

bool con_interrupt_asked(struct con_interrupt *in)
{
    const struct timespec at_once = {.tv_sec = 0};
    sigset_t set;
    the_signals(&set);
    int came = sigtimedwait(&set, NULL, &at_once);
    if (came > 0) {
        atomic_store(&in->signal, came);
    }
    return atomic_load(&in->signal) != 0;
}

void con_interrupt_end(struct con_interrupt *in)
{
    (void)pthread_sigmask(SIG_SETMASK, &in->before, NULL);
    int came = atomic_load(&in->signal);
    if (came != 0) {
        (void)raise(came);
    }
}
