/* SPDX-License-Identifier: Apache-2.0
 *
 * The intake: how agents share its memory, the way to its disk and its places.
 */
#include "tests/unit/correlator/intake_world.h"

#include <stdio.h>
#include <unistd.h>

#include <haidang/archive_meta.h>

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
static struct fake_agent *speak(struct fake_agent_opts opts, const char *boot,
                                uint32_t lines, struct hd_buf *out)
{
    struct hd_buf hello;
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

static struct fake_agent *speaker(const char *boot, uint32_t lines, struct hd_buf *out)
{
    return speak(agent(lines), boot, lines, out);
}

/* Its batch does not compress. */
static struct fake_agent *large_speaker(const char *boot, uint32_t lines,
                                        struct hd_buf *out)
{
    struct fake_agent_opts opts = agent(lines);
    opts.is_random = true;
    return speak(opts, boot, lines, out);
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

/* A connection that says nothing, from an address of the loopback network. */
static int connect_to(size_t listener, const char *address)
{
    struct sockaddr_in from, to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(uv_ip4_addr(address, 0, &from), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", cor_intake_port(w.intake, listener), &to),
                     0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static int connect_from(const char *address)
{
    return connect_to(0, address);
}

/* ---- turns ---- */

#define FIRST  "00000000000000000000000000000001"
#define SECOND "00000000000000000000000000000002"
#define THIRD  "00000000000000000000000000000003"

static unsigned waiting(const struct cor_session_list *queue)
{
    unsigned n = 0;
    const struct cor_session *s;
    TAILQ_FOREACH(s, queue, waiting)
    {
        n++;
    }
    return n;
}

/* Nobody is woken by the clock, so that what a test sees has the cause it means. */
static void stop_ticking(void)
{
    assert_int_equal(uv_timer_stop(&w.intake->tick), 0);
}

/* The boots, by their last digit, in the order in which their batches were archived. */
static const char *archived(char order[16])
{
    struct hd_journal_reader *reader;
    struct hd_journal_entry entry;
    struct hd_archive_meta meta;
    size_t n = 0;
    int err;
    assert_int_equal(hd_journal_reader_open(w.dir, NULL, &reader), HD_OK);
    while ((err = hd_journal_reader_next(reader, &entry)) == HD_OK) {
        assert_int_equal(hd_archive_meta_decode(entry.meta, &meta), HD_PARSE_OK);
        assert_true(n < 15);
        order[n++] = (char)meta.boot.ptr[meta.boot.len - 1];
    }
    assert_int_equal(err, HD_EAGAIN);
    order[n] = '\0';
    hd_journal_reader_close(reader);
    return order;
}

/* As if so much were on its way to the disk. */
static void occupy_disk(uint64_t bytes)
{
    w.intake->pace.queued += bytes;
}

static void free_disk(uint64_t bytes)
{
    cor_pace_undo(&w.intake->pace, bytes);
}

/* There is room again, and before the first has heard of it the second comes. */
static void who_waits_for_the_disk_is_served_before_who_comes(void **state)
{
    (void)state;
    char order[16];
    struct hd_buf one, other;
    open_intake();
    stop_ticking();
    struct fake_agent *first = speaker(FIRST, 10, &one);
    struct fake_agent *second = speaker(SECOND, 10, &other);
    occupy_disk(w.opts.memory);
    fake_agent_say(first, hd_buf_slice(&one));
    UNTIL(waiting(&w.intake->for_disk) == 1);
    free_disk(w.opts.memory);
    fake_agent_say(second, hd_buf_slice(&other));
    UNTIL(waiting(&w.intake->for_disk) == 2 || fake_agent_acked(second) == 10);
    assert_int_equal(uv_timer_again(&w.intake->tick), 0);
    UNTIL(fake_agent_acked(first) == 10 && fake_agent_acked(second) == 10);
    assert_string_equal(archived(order), "12");
    fake_agent_free(first);
    fake_agent_free(second);
    hd_buf_fini(&one);
    hd_buf_fini(&other);
}

/* The first has said three batches before the second said one. */
static void a_turn_is_one_batch(void **state)
{
    (void)state;
    char order[16];
    struct hd_buf many, one;
    open_intake();
    stop_ticking();
    struct fake_agent *first = speak(agent(6), FIRST, 2, &many);
    struct fake_agent *second = speaker(SECOND, 10, &one);
    fake_agent_batch(first, 3, &many);
    fake_agent_batch(first, 5, &many);
    occupy_disk(w.opts.memory);
    fake_agent_say(first, hd_buf_slice(&many));
    UNTIL(waiting(&w.intake->for_disk) == 1);
    fake_agent_say(second, hd_buf_slice(&one));
    UNTIL(waiting(&w.intake->for_disk) == 2);
    free_disk(w.opts.memory);
    assert_int_equal(uv_timer_again(&w.intake->tick), 0);
    UNTIL(fake_agent_acked(first) == 6 && fake_agent_acked(second) == 10);
    assert_string_equal(archived(order), "1211");
    fake_agent_free(first);
    fake_agent_free(second);
    hd_buf_fini(&many);
    hd_buf_fini(&one);
}

static struct cor_ledger *ledger_of(const char *boot)
{
    struct cor_agent *agent =
        cor_agents_find(&w.intake->agents, HD_SLICE("web1"), hd_slice_str(boot));
    assert_non_null(agent);
    return &agent->ledger;
}

/* The third has something on its way, the first has until that is durable, the second has
 * nothing, and its batch is large. */
static void who_has_nothing_on_its_way_goes_first(void **state)
{
    (void)state;
    char order[16];
    struct hd_buf two, large, small;
    open_intake();
    stop_ticking();
    struct fake_agent *first = speak(agent(4), FIRST, 2, &two);
    struct fake_agent *second = large_speaker(SECOND, 10, &large);
    struct fake_agent *third = speaker(THIRD, 2, &small);
    fake_agent_batch(first, 3, &two);
    UNTIL(w.intake->n_active == 3);
    ledger_of(THIRD)->in_flight++;
    occupy_disk(w.opts.memory);
    fake_agent_say(third, hd_buf_slice(&small));
    UNTIL(waiting(&w.intake->for_more) == 1);
    free_disk(w.opts.memory);
    fake_agent_say(first, hd_buf_slice(&two));
    UNTIL(waiting(&w.intake->for_more) == 2); /* with its second batch */
    occupy_disk(w.opts.memory);
    UNTIL(fake_agent_acked(first) == 2);
    assert_int_equal(waiting(&w.intake->for_more), 1);
    fake_agent_say(second, hd_buf_slice(&large));
    UNTIL(waiting(&w.intake->for_disk) == 2);
    w.intake->pace.limit = w.opts.memory + large.len / 2; /* but not for the second */
    assert_int_equal(uv_timer_again(&w.intake->tick), 0);
    UNTIL(fake_agent_acked(first) == 4 && w.intake->ticks == 2);
    assert_int_equal(waiting(&w.intake->for_disk), 1);
    assert_int_equal(waiting(&w.intake->for_more), 1);
    free_disk(w.opts.memory);
    UNTIL(fake_agent_acked(second) == 10 && fake_agent_acked(third) == 2);
    ledger_of(THIRD)->in_flight--;
    assert_string_equal(archived(order), "1123");
    fake_agent_free(first);
    fake_agent_free(second);
    fake_agent_free(third);
    hd_buf_fini(&two);
    hd_buf_fini(&large);
    hd_buf_fini(&small);
}

static bool has_reserved(const char *boot)
{
    const struct cor_agent *agent =
        cor_agents_find(&w.intake->agents, HD_SLICE("web1"), hd_slice_str(boot));
    return agent != NULL && agent->session != NULL && agent->session->reserved > 0;
}

/* The same with memory, of which there is enough for one of them. */
static void who_waits_for_memory_is_served_before_who_comes(void **state)
{
    (void)state;
    enum { LINES = 200, BEGIN = 100 };
    struct hd_buf one, other;
    open_intake();
    stop_ticking();
    struct fake_agent *first = large_speaker(FIRST, LINES, &one);
    struct fake_agent *second = large_speaker(SECOND, LINES, &other);
    w.intake->memory_used = w.intake->opts.memory = one.len + other.len - 1;
    fake_agent_say(first, hd_slice_head(hd_buf_slice(&one), BEGIN));
    UNTIL(waiting(&w.intake->for_memory) == 1);
    w.intake->memory_used = 0;
    fake_agent_say(second, hd_slice_head(hd_buf_slice(&other), BEGIN));
    UNTIL(waiting(&w.intake->for_memory) == 2 || has_reserved(SECOND));
    assert_false(has_reserved(SECOND));
    assert_int_equal(uv_timer_again(&w.intake->tick), 0);
    UNTIL(has_reserved(FIRST));
    assert_false(has_reserved(SECOND));
    fake_agent_say(first, hd_slice_from(hd_buf_slice(&one), BEGIN));
    UNTIL(has_reserved(SECOND));
    fake_agent_say(second, hd_slice_from(hd_buf_slice(&other), BEGIN));
    UNTIL(fake_agent_acked(first) == LINES && fake_agent_acked(second) == LINES);
    fake_agent_free(first);
    fake_agent_free(second);
    hd_buf_fini(&one);
    hd_buf_fini(&other);
}

/* ---- who leaves ---- */

/* Not when a second has passed: at once. */
static void memory_of_who_leaves_goes_to_who_waits(void **state)
{
    (void)state;
    enum { LINES = 200, BEGIN = 100 };
    struct hd_buf one, other;
    open_intake();
    stop_ticking();
    struct fake_agent *first = large_speaker(FIRST, LINES, &one);
    struct fake_agent *second = large_speaker(SECOND, LINES, &other);
    w.intake->opts.memory = one.len + other.len - 1;
    fake_agent_say(first, hd_slice_head(hd_buf_slice(&one), BEGIN));
    UNTIL(has_reserved(FIRST));
    fake_agent_say(second, hd_slice_head(hd_buf_slice(&other), BEGIN));
    UNTIL(waiting(&w.intake->for_memory) == 1);
    fake_agent_say(second, hd_slice_from(hd_buf_slice(&other), BEGIN));
    fake_agent_drop(first);
    UNTIL(fake_agent_acked(second) == LINES);
    fake_agent_free(first);
    fake_agent_free(second);
    hd_buf_fini(&one);
    hd_buf_fini(&other);
}

/* Each leaves at another place on its way. */
static void whoever_leaves_gives_back_all(void **state)
{
    (void)state;
    enum { LINES = 200, BEGIN = 100, ALL = 7 };
    struct fake_agent *all[ALL];
    struct hd_buf bytes[ALL];
    open_intake();
    int silent_fd = connect_from("127.0.0.1"); /* in its handshake */
    all[0] = silent();                         /* before its HELLO */
    hd_buf_init(&bytes[0], 0);
    for (unsigned i = 1; i < ALL; i++) {
        char boot[33];
        (void)snprintf(boot, sizeof(boot), "%032x", i);
        all[i] = large_speaker(boot, LINES, &bytes[i]);
    }
    fake_agent_say(all[1], hd_buf_slice(&bytes[1])); /* is on its way to the disk */
    fake_agent_say(all[2], hd_slice_head(hd_buf_slice(&bytes[2]), BEGIN));
    UNTIL(has_reserved("00000000000000000000000000000002")); /* in its frame */
    occupy_disk(w.opts.memory);
    fake_agent_say(all[3], hd_buf_slice(&bytes[3]));
    UNTIL(waiting(&w.intake->for_disk) == 1);
    w.intake->opts.memory = w.intake->memory_used + 1;
    fake_agent_say(all[4], hd_slice_head(hd_buf_slice(&bytes[4]), BEGIN));
    UNTIL(waiting(&w.intake->for_memory) == 1);
    fake_agent_say(all[5], HD_SLICE("\0\0\0\0")); /* is sent away */
    say_hello(all[6]);                            /* so is this one */
    UNTIL(w.intake->n_active == 4);
    for (unsigned i = 0; i < ALL; i++) {
        fake_agent_free(all[i]);
        hd_buf_fini(&bytes[i]);
    }
    (void)close(silent_fd);
    w.intake->opts.memory = w.opts.memory;
    free_disk(w.opts.memory);
    assert_int_equal(uv_timer_again(&w.intake->tick), 0); /* who waits is not read from */
    UNTIL(w.intake->n_sessions == 0 && w.intake->pace.queued == 0);
    assert_int_equal(w.intake->n_active, 0);
    assert_int_equal(w.intake->memory_used, 0);
    assert_int_equal(w.intake->admit.at_once, 0);
    assert_int_equal(w.intake->addresses.n, 0);
    assert_true(TAILQ_EMPTY(&w.intake->for_disk));
    assert_true(TAILQ_EMPTY(&w.intake->for_more));
    assert_true(TAILQ_EMPTY(&w.intake->for_memory));
    assert_true(TAILQ_EMPTY(&w.intake->acks));
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

/* There is one place, and a crowd waits for it at the first listener. */
static void a_crowd_at_one_listener_lets_others_be_served(void **state)
{
    (void)state;
    enum { CROWD = 5 };
    int crowd[CROWD];
    char why[256];
    w.opts.handshakes_max = 1;
    open_intake();
    assert_int_equal(cor_intake_listen(w.intake, "127.0.0.1:0", why), HD_OK);
    uint64_t deferred = COR_READ(COR_M_DEFERRED), taken = COR_READ(COR_M_CONNECTIONS);
    uint64_t given_up = COR_READ(COR_M_HANDSHAKE_FAILED);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = connect_to(0, "127.0.0.2");
    }
    struct fake_agent_opts opts = agent(10);
    opts.port = cor_intake_port(w.intake, 1);
    struct fake_agent *a = fake_agent_new(&opts);
    UNTIL(COR_READ(COR_M_DEFERRED) == deferred + 2);
    (void)close(crowd[0]);
    UNTIL(COR_READ(COR_M_CONNECTIONS) == taken + 2);
    (void)close(crowd[1]); /* in its place, if its listener had the first turn */
    UNTIL(w.done == 1);
    assert_in_range(COR_READ(COR_M_HANDSHAKE_FAILED) - given_up, 1, 2);
    for (unsigned i = 2; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
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
        TEST(who_waits_for_the_disk_is_served_before_who_comes),
        TEST(a_turn_is_one_batch),
        TEST(who_has_nothing_on_its_way_goes_first),
        TEST(who_waits_for_memory_is_served_before_who_comes),
        TEST(memory_of_who_leaves_goes_to_who_waits),
        TEST(whoever_leaves_gives_back_all),
        TEST(many_handshakes_are_spread),
        TEST(a_silent_crowd_at_one_address_delays_nobody_else),
        TEST(a_crowd_at_one_listener_lets_others_be_served),
        TEST(too_many_connections_are_refused),
        TEST(silence_ends_the_connection),
    };
    w.pki = hd_test_pki();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
