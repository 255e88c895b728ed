/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the intake share: one loop on which an intake with a journal of its
 * own listens, and agents that connect to it over real TLS.
 */
#pragma once
#include "tests/support/support.h"

#include <haidang/journal_writer.h>

#include "correlator/intake/intake_core.h"
#include "tests/support/fake_agent.h"

#define BOOT "0123456789abcdef0123456789abcdef"

extern struct intake_world {
    const char *pki; /* where certificates are */
    uv_loop_t loop;
    uv_timer_t deadline;
    struct hd_signals *signals; /* SIGPIPE is ignored, as in every program */
    struct cor_intake *intake;
    struct cor_intake_opts opts;
    struct hd_tls *server, *client;
    char dir[512], snapshot[600];
    unsigned done, closed;
    bool is_shut;
} w;

/* Around each test. */
int setup(void **state);
int teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* name NULL: without a certificate. */
struct hd_tls *intake_tls(enum hd_tls_role role, const char *name, const char *ca);
void open_intake(void);
void close_intake(void);

/* Runs the loop until the condition holds. */
#define UNTIL(condition)                                                                 \
    do {                                                                                 \
        (void)uv_timer_start(&w.deadline, too_late, 120000, 0);                          \
        while (!(condition)) {                                                           \
            (void)uv_run(&w.loop, UV_RUN_ONCE);                                          \
        }                                                                                \
        (void)uv_timer_stop(&w.deadline);                                                \
    } while (0)
void too_late(uv_timer_t *timer);

/* What an agent (web1, BOOT) with so many lines is made of; counts in w.done, w.closed.
 */
struct fake_agent_opts agent(uint64_t lines);
/* One that is connected and says nothing by itself. */
struct fake_agent *silent(void);
void say_hello(struct fake_agent *a);
/* Waits for the end of its connection, for this reason, and frees it. */
void expect_bye(struct fake_agent *a, enum hd_wire_bye code, const char *text);

/* Every sequence 1..lines of (web1, boot) is in the archive exactly once. */
void check_archive(const char *boot, uint64_t lines);
