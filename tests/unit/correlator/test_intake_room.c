/* SPDX-License-Identifier: Apache-2.0
 *
 * The intake: how agents share its memory, the way to its disk and its places.
 */
#include "tests/unit/correlator/intake_world.h"

#include <stdio.h>
#include <unistd.h>

#include "correlator/metrics.h"
#include "tests/support/certs.h"

/* ---- memory and disk ---- */

struct seen {
    size_t most; /* that sessions held of frames that had not gone on */
    bool has_waited;
};

static bool all_are_done(unsigned agents, struct seen *seen)
{
    size_t held = 0;
    const struct cor_session *s;
    TAILQ_FOREACH(s, &w.intake->sessions, all)
    {
        held += s->in.len;
    }
    seen->most = held > seen->most ? held : seen->most;
    seen->has_waited |= !TAILQ_EMPTY(&w.intake->for_memory);
    return w.done == agents;
}

/* Together much more than the memory: each waits for its share of it, and all arrive. */
static void large_frames_share_the_memory(void **state)
{
    (void)state;
    enum { AGENTS = 12, LINES = 800, UNRESERVED = AGENTS * ((16 + 64) << 10) };
    struct fake_agent *agents[AGENTS];
    char boot[33];
    struct seen seen = {0};
    w.opts.memory = 1U << 20;
    open_intake();
    COR_GAUGE(COR_M_MEMORY_HIGH, 0);
    for (unsigned i = 0; i < AGENTS; i++) {
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        struct fake_agent_opts opts = agent(LINES);
        opts.boot = boot;
        opts.batch_lines = LINES / 2;
        opts.is_random = true;
        agents[i] = fake_agent_new(&opts);
    }
    UNTIL(all_are_done(AGENTS, &seen));
    assert_true(seen.has_waited);
    assert_in_range(seen.most, w.opts.memory / 2, w.opts.memory + UNRESERVED);
    assert_in_range(COR_READ(COR_M_MEMORY_HIGH), w.opts.memory / 2, w.opts.memory);
    assert_int_equal(w.intake->memory_used, 0);
    for (unsigned i = 0; i < AGENTS; i++) {
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        check_archive(boot, LINES);
        fake_agent_free(agents[i]);
    }
}

static bool has_session_with(size_t bytes)
{
    const struct cor_session *s;
    TAILQ_FOREACH(s, &w.intake->sessions, all)
    {
        if (s->in.len == bytes) {
            return true;
        }
    }
    return false;
}

/* Its HELLO is said; *out: its only batch. */
static struct fake_agent *speaker(const char *boot, uint32_t lines, struct hd_buf *out)
{
    struct hd_buf hello;
    struct fake_agent_opts opts = agent(lines);
    opts.boot = boot;
    opts.batch_lines = lines;
    opts.is_silent = true;
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(fake_agent_is_open(a));
    hd_buf_init(&hello, 0);
    hd_buf_init(out, 0);
    fake_agent_hello(a, &hello);
    fake_agent_batch(a, 1, out);
    fake_agent_say(a, hd_buf_slice(&hello));
    hd_buf_fini(&hello);
    return a;
}

/* The first has all the memory, the second waits for it, and then the first waits for the
 * disk: behind the second nobody would ever go on. */
static void who_has_the_memory_waits_behind_nobody_who_wants_it(void **state)
{
    (void)state;
    enum { LINES = 18000, REST = 20, BEGIN = 100 };
    struct hd_buf large, other, small;
    open_intake();
    struct fake_agent *first = speaker("00000000000000000000000000000001", LINES, &large);
    struct fake_agent *second =
        speaker("00000000000000000000000000000002", LINES, &other);
    struct fake_agent *third = speaker("00000000000000000000000000000003", 10, &small);
    w.intake->opts.memory = w.intake->pace.limit = w.intake->pace.max = large.len;
    fake_agent_say(first, hd_slice_head(hd_buf_slice(&large), large.len - REST));
    UNTIL(has_session_with(large.len - REST));
    fake_agent_say(second, hd_slice_head(hd_buf_slice(&other), BEGIN));
    UNTIL(!TAILQ_EMPTY(&w.intake->for_memory));
    fake_agent_say(third, hd_buf_slice(&small)); /* on its way to the disk meanwhile */
    fake_agent_say(first, hd_slice_from(hd_buf_slice(&large), large.len - REST));
    UNTIL(fake_agent_acked(third) == 10);
    UNTIL(fake_agent_acked(first) == LINES);
    fake_agent_say(second, hd_slice_from(hd_buf_slice(&other), BEGIN));
    UNTIL(fake_agent_acked(second) == LINES);
    fake_agent_free(first);
    fake_agent_free(second);
    fake_agent_free(third);
    hd_buf_fini(&large);
    hd_buf_fini(&other);
    hd_buf_fini(&small);
}

/* ---- limits ---- */

static void many_handshakes_are_spread(void **state)
{
    (void)state;
    enum { AGENTS = 100 };
    struct fake_agent *agents[AGENTS];
    w.opts.handshakes_max = 2;
    open_intake();
    uint64_t before = COR_READ(COR_M_DEFERRED);
    for (unsigned i = 0; i < AGENTS; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        struct fake_agent_opts opts = agent(10);
        opts.boot = boot;
        agents[i] = fake_agent_new(&opts);
    }
    UNTIL(w.done == AGENTS);
    assert_true(COR_READ(COR_M_DEFERRED) > before);
    for (unsigned i = 0; i < AGENTS; i++) {
        fake_agent_free(agents[i]);
    }
}

/* A connection that says nothing, from an address of the loopback network. */
static int connect_from(const char *address)
{
    struct sockaddr_in from, to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(uv_ip4_addr(address, 0, &from), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", cor_intake_port(w.intake, 0), &to), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* They stand in front of the agent, take all the places they can get, and stay. */
static void a_silent_crowd_at_one_address_delays_nobody_else(void **state)
{
    (void)state;
    enum { CROWD = 100, SHARE = 3 };
    int crowd[CROWD];
    w.opts.handshakes_max = SHARE + 1;
    w.opts.handshakes_per_address = SHARE;
    open_intake();
    uint64_t crowded = COR_READ(COR_M_CROWDED);
    uint64_t taken = COR_READ(COR_M_CONNECTIONS);
    uint64_t given_up = COR_READ(COR_M_HANDSHAKE_FAILED);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = connect_from("127.0.0.2");
    }
    struct fake_agent_opts opts = agent(10);
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(w.done == 1);
    assert_int_equal(COR_READ(COR_M_CROWDED) - crowded, CROWD - SHARE);
    assert_int_equal(COR_READ(COR_M_CONNECTIONS) - taken, SHARE + 1);
    assert_int_equal(COR_READ(COR_M_HANDSHAKE_FAILED), given_up); /* not by waiting */
    for (unsigned i = 0; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
    UNTIL(COR_READ(COR_M_HANDSHAKE_FAILED) == given_up + SHARE);
    crowd[0] = connect_from("127.0.0.2"); /* the places are free again */
    UNTIL(COR_READ(COR_M_CONNECTIONS) == taken + SHARE + 2);
    (void)close(crowd[0]);
    fake_agent_free(a);
}

static void too_many_connections_are_refused(void **state)
{
    (void)state;
    struct fake_agent *agents[5];
    w.opts.agents_max = 3;
    open_intake();
    uint64_t before = COR_READ(COR_M_REFUSED);
    for (unsigned i = 0; i < 5; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        struct fake_agent_opts opts = agent(10);
        opts.boot = boot;
        agents[i] = fake_agent_new(&opts);
    }
    UNTIL(w.done == 3 && w.closed == 2);
    assert_int_equal(COR_READ(COR_M_REFUSED), before + 2);
    for (unsigned i = 0; i < 5; i++) {
        fake_agent_free(agents[i]);
    }
}

static void silence_ends_the_connection(void **state)
{
    (void)state;
    w.opts.idle_ms = 1000;
    open_intake();
    struct fake_agent *a = silent();
    say_hello(a);
    expect_bye(a, HD_WIRE_BYE_NORMAL, "nothing was heard for 1 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_frames_share_the_memory),
        TEST(who_has_the_memory_waits_behind_nobody_who_wants_it),
        TEST(many_handshakes_are_spread),
        TEST(a_silent_crowd_at_one_address_delays_nobody_else),
        TEST(too_many_connections_are_refused),
        TEST(silence_ends_the_connection),
    };
    w.pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
