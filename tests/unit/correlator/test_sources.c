/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory of sources and what it says, with clocks that the test moves.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "correlator/sources/judge.h"
#include "correlator/sources/show.h"

#define SECOND HD_NS_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define BEGIN  (INT64_C(1790000000) * SECOND / DAY * DAY) /* a day begins */
#define BOOT   "0123456789abcdef0123456789abcdef"

enum { TOLD_MAX = 64 };

struct told {
    enum cor_notice_kind kind;
    char agent[32], name[32], system[32], measure[96];
    uint8_t level;
};

struct world {
    struct cor_times now;
    struct cor_sources table;
    struct cor_judge judge;
    struct cor_enrich *enrich;
    bool refuses, is_away;
    uint64_t seq;
    struct told told[TOLD_MAX];
    size_t n;
};

static void copy(char *out, size_t cap, struct hd_slice s)
{
    (void)snprintf(out, cap, "%.*s", HD_SLICE_FMT(s));
}

static bool on_tell(void *ctx, const struct cor_notice_facts *f)
{
    struct world *w = ctx;
    if (w->refuses) {
        return false;
    }
    assert_true(w->n < TOLD_MAX);
    struct told *t = &w->told[w->n++];
    t->kind = f->kind;
    t->level = f->level;
    copy(t->agent, sizeof(t->agent), f->agent);
    copy(t->name, sizeof(t->name), f->source_name);
    copy(t->system, sizeof(t->system), f->system);
    copy(t->measure, sizeof(t->measure), f->measure);
    return true;
}

static struct cor_enrich *enrichment(void)
{
    static const char csv[] = "id,name,level,hosts,networks\n"
                              "dvc,Portal,3,web1,\n"
                              "old,Old,2,old1,\n"
                              "net,Net,4,,192.0.2.0/24\n";
    char path[512];
    struct cor_enrich *e = NULL;
    struct hd_diags diags = {0};
    (void)snprintf(path, sizeof(path), "%s/i.csv", hd_test_tmpdir());
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(csv), 0600), HD_OK);
    assert_int_equal(
        cor_enrich_load(&(struct cor_enrich_opts){.inventory = path}, &e, &diags), HD_OK);
    return e;
}

static const struct cor_sources_opts defaults = {.max = 100,
                                                 .floor_ns = 15 * MINUTE,
                                                 .factor = 3,
                                                 .learn_ns = DAY,
                                                 .slow = 10,
                                                 .drift_ns = 5 * MINUTE};

static struct world *begin(const struct cor_sources_opts *opts)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->now = (struct cor_times){BEGIN, 1000 * DAY};
    w->enrich = enrichment();
    assert_int_equal(cor_sources_init(&w->table, opts, &w->now), HD_OK);
    w->judge = (struct cor_judge){.sources = &w->table, .tell = on_tell, .ctx = w};
    return w;
}

static void end(struct world *w)
{
    cor_judge_fini(&w->judge);
    cor_sources_fini(&w->table);
    cor_enrich_unref(w->enrich);
    free(w);
}

/* ---- what happens ---- */

static void pass(struct world *w, int64_t ns)
{
    w->now.wall_ns += ns;
    w->now.mono_ns += ns;
}

static void look_at(struct world *w, const char *agent, int64_t difference_ns,
                    bool is_behind)
{
    cor_sources_disconnected(&w->table);
    if (!w->is_away) {
        cor_sources_connected(&w->table, hd_slice_str(agent), difference_ns, &w->now);
    }
    cor_judge_look(&w->judge, w->enrich, is_behind, &w->now);
}

static void look(struct world *w)
{
    look_at(w, "web1", 0, false);
}

static void send_seq(struct world *w, const char *name, uint64_t lines, uint64_t seq)
{
    struct cor_seen *seen =
        calloc(1, sizeof(struct cor_seen) + sizeof(struct cor_seen_source));
    assert_non_null(seen);
    seen->agent = HD_SLICE("web1");
    seen->boot = HD_SLICE(BOOT);
    seen->taken_ns = w->now.wall_ns;
    seen->n = 1;
    seen->sources[0] = (struct cor_seen_source){.host = HD_SLICE("web1"),
                                                .kind = HD_SLICE("file"),
                                                .name = hd_slice_str(name),
                                                .lines = lines,
                                                .bytes = 10 * lines,
                                                .last_seq = seq};
    assert_int_equal(cor_sources_note(&w->table, seen, &w->now), HD_OK);
    free(seen);
}

static void send_lines(struct world *w, const char *name, uint64_t lines)
{
    w->seq += lines;
    send_seq(w, name, lines, w->seq);
}

static void send_off(struct world *w, int64_t difference_ns)
{
    struct cor_seen *seen =
        calloc(1, sizeof(struct cor_seen) + sizeof(struct cor_seen_source));
    assert_non_null(seen);
    seen->agent = HD_SLICE("web1");
    seen->boot = HD_SLICE(BOOT);
    seen->taken_ns = w->now.wall_ns;
    seen->n = 1;
    seen->sources[0] = (struct cor_seen_source){.host = HD_SLICE("web1"),
                                                .kind = HD_SLICE("file"),
                                                .name = HD_SLICE("/clock"),
                                                .lines = 1,
                                                .last_seq = ++w->seq,
                                                .has_difference = true,
                                                .difference_ns = difference_ns};
    assert_int_equal(cor_sources_note(&w->table, seen, &w->now), HD_OK);
    free(seen);
}

/* Sends every `every` for so long, is looked at as often. */
static void live(struct world *w, const char *name, int64_t every, int64_t how_long)
{
    for (int64_t t = 0; t < how_long; t += every) {
        pass(w, every);
        send_lines(w, name, 10);
        look(w);
    }
}

static void wait_quietly(struct world *w, int64_t how_long)
{
    for (int64_t t = 0; t < how_long; t += MINUTE) {
        pass(w, MINUTE);
        look(w);
    }
}

static void expect(const struct world *w, const enum cor_notice_kind *kinds, size_t n)
{
    assert_int_equal(w->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w->told[i].kind, kinds[i]);
    }
}

#define EXPECT(w, ...)                                                                   \
    do {                                                                                 \
        const enum cor_notice_kind kinds_[] = {__VA_ARGS__};                             \
        expect(w, kinds_, sizeof(kinds_) / sizeof(kinds_[0]));                           \
    } while (0)

/* ---- silence ---- */

static void a_known_source_that_stops_is_told_once_and_its_return(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, DAY + HOUR);
    wait_quietly(w, 15 * MINUTE);
    assert_int_equal(w->n, 0); /* the floor */
    wait_quietly(w, 2 * MINUTE);
    EXPECT(w, COR_NOTICE_STOPPED);
    assert_string_equal(w->told[0].agent, "web1");
    assert_string_equal(w->told[0].name, "/a");
    assert_string_equal(w->told[0].measure, "usual pauses last at most 60 s");
    assert_int_equal(w->told[0].level, 3);
    wait_quietly(w, 6 * HOUR);
    assert_int_equal(w->n, 1);
    send_lines(w, "/a", 1);
    look(w);
    look(w);
    EXPECT(w, COR_NOTICE_STOPPED, COR_NOTICE_RESUMED);
    end(w);
}

/* Who stops for hours teaches no more than what was told: the next time is told, too. */
static void a_long_stop_does_not_make_long_stops_usual(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, DAY + HOUR);
    wait_quietly(w, 12 * HOUR);
    live(w, "/a", MINUTE, HOUR);
    w->n = 0;
    wait_quietly(w, HOUR);
    EXPECT(w, COR_NOTICE_STOPPED);
    end(w);
}

static void usual_pauses_are_learned(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", 10 * MINUTE, 2 * DAY);
    wait_quietly(w, 29 * MINUTE);
    assert_int_equal(w->n, 0); /* three times the usual ten minutes */
    wait_quietly(w, 3 * MINUTE);
    EXPECT(w, COR_NOTICE_STOPPED);
    end(w);
}

static void what_is_idle_by_nature_is_not_judged(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    for (int i = 0; i < 10; i++) { /* ten lines in ten days: too few to know */
        wait_quietly(w, DAY);
        send_lines(w, "/rare", 1);
    }
    wait_quietly(w, 20 * DAY);
    assert_int_equal(w->n, 0);
    end(w);
}

static void a_lost_agent_is_told_once_and_not_its_sources(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    for (int64_t t = 0; t < DAY + HOUR; t += MINUTE) {
        pass(w, MINUTE);
        send_lines(w, "/a", 1);
        send_lines(w, "/b", 1);
        look(w);
    }
    w->is_away = true;
    wait_quietly(w, 5 * HOUR);
    EXPECT(w, COR_NOTICE_AGENT_LOST);
    w->is_away = false;
    wait_quietly(w, 10 * MINUTE); /* its sources have their time to begin again */
    EXPECT(w, COR_NOTICE_AGENT_LOST, COR_NOTICE_AGENT_BACK);
    wait_quietly(w, 10 * MINUTE);
    EXPECT(w, COR_NOTICE_AGENT_LOST, COR_NOTICE_AGENT_BACK, COR_NOTICE_STOPPED,
           COR_NOTICE_STOPPED);
    end(w);
}

static void steps_of_the_wall_clock_silence_nobody(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, DAY + HOUR);
    w->now.wall_ns += DAY;
    look(w);
    live(w, "/a", MINUTE, HOUR);
    w->now.wall_ns -= 2 * DAY;
    look(w);
    live(w, "/a", MINUTE, HOUR);
    assert_int_equal(w->n, 0);
    end(w);
}

static void detection_that_is_behind_judges_nobody(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, DAY + HOUR);
    pass(w, HOUR);
    look_at(w, "web1", 0, true);
    assert_int_equal(w->n, 0);
    look(w);
    EXPECT(w, COR_NOTICE_STOPPED);
    end(w);
}

static void what_cannot_be_told_is_told_later(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, DAY + HOUR);
    w->refuses = true;
    wait_quietly(w, HOUR);
    assert_int_equal(w->n, 0);
    w->refuses = false;
    wait_quietly(w, 2 * MINUTE);
    EXPECT(w, COR_NOTICE_STOPPED);
    end(w);
}

static void without_alerts_it_is_known_all_the_same(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    w->judge.tell = NULL;
    live(w, "/a", MINUTE, DAY + HOUR);
    wait_quietly(w, HOUR);
    assert_string_equal(cor_source_state(w->table.rows[0]), "silent");
    send_lines(w, "/a", 1);
    look(w);
    assert_string_equal(cor_source_state(w->table.rows[0]), "ok");
    end(w);
}

/* ---- rate ---- */

static void far_less_than_usual_is_told(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    for (int64_t t = 0; t < 10 * DAY; t += 5 * MINUTE) {
        bool is_day = w->now.wall_ns / HOUR % 24 >= 8;
        pass(w, 5 * MINUTE);
        send_lines(w, "/a", is_day ? 100 : 2);
        look(w);
    }
    assert_int_equal(w->n, 0); /* every night is as the other nights */
    live(w, "/a", 5 * MINUTE, 8 * HOUR);
    w->n = 0;                      /* at night ten lines are many */
    for (int i = 0; i < 24; i++) { /* two hours of the day, 12 lines an hour */
        pass(w, 5 * MINUTE);
        send_lines(w, "/a", 1);
        look(w);
    }
    EXPECT(w, COR_NOTICE_SLOWED);
    assert_string_equal(w->told[0].measure,
                        "12 lines in the hour, usually at least 1200");
    for (int i = 0; i < 24; i++) {
        pass(w, 5 * MINUTE);
        send_lines(w, "/a", 100);
        look(w);
    }
    EXPECT(w, COR_NOTICE_SLOWED, COR_NOTICE_RESUMED);
    end(w);
}

/* ---- clocks ---- */

static void a_clock_that_is_steadily_off_is_told(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    for (int i = 0; i < 8; i++) {
        pass(w, MINUTE);
        send_off(w, -7 * HOUR + i * SECOND);
        look(w);
    }
    assert_int_equal(w->n, 0); /* a few minutes are too few */
    for (int i = 0; i < 60; i++) {
        pass(w, MINUTE);
        send_off(w, -7 * HOUR);
        look(w);
    }
    EXPECT(w, COR_NOTICE_CLOCK);
    assert_string_equal(w->told[0].measure, "-25197 s");
    assert_string_equal(cor_source_state(w->table.rows[0]), "clock");
    for (int i = 0; i < 20; i++) {
        pass(w, MINUTE);
        send_off(w, SECOND);
        look(w);
    }
    assert_string_equal(cor_source_state(w->table.rows[0]), "new");
    assert_int_equal(w->n, 1);
    end(w);
}

static void an_old_file_that_is_read_is_no_wrong_clock(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    for (int i = 0; i < 60; i++) { /* ten times as fast as it was written */
        pass(w, MINUTE);
        send_off(w, -10 * HOUR + i * 10 * MINUTE);
        look(w);
    }
    assert_int_equal(w->n, 0);
    end(w);
}

static void one_wild_line_is_no_wrong_clock(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    for (int i = 0; i < 60; i++) {
        pass(w, MINUTE);
        send_off(w, i % 9 == 0 ? 3 * HOUR : 0);
        look(w);
    }
    assert_int_equal(w->n, 0);
    end(w);
}

static void the_clock_of_an_agent_is_told(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    send_lines(w, "/a", 1);
    look_at(w, "web1", 5 * MINUTE, false);
    assert_int_equal(w->n, 0);
    look_at(w, "web1", -6 * MINUTE, false);
    look_at(w, "web1", -6 * MINUTE, false);
    EXPECT(w, COR_NOTICE_AGENT_CLOCK);
    assert_string_equal(w->told[0].measure, "-360 s");
    end(w);
}

/* ---- systems ---- */

static void an_important_system_without_a_source_is_told(void **state)
{
    (void)state;
    struct cor_sources_opts opts = defaults;
    opts.unwatched_ns = HOUR;
    struct world *w = begin(&opts);
    live(w, "/a", MINUTE, 59 * MINUTE);
    assert_int_equal(w->n, 0); /* after a start there is time to connect */
    live(w, "/a", MINUTE, 2 * HOUR);
    EXPECT(w, COR_NOTICE_UNWATCHED); /* of level 4; not of level 2, not web1's */
    assert_string_equal(w->told[0].system, "net");
    assert_int_equal(w->told[0].level, 4);
    wait_quietly(w, 2 * HOUR); /* web1 is too new to be called silent, but is not heard */
    EXPECT(w, COR_NOTICE_UNWATCHED, COR_NOTICE_UNWATCHED);
    assert_string_equal(w->told[1].system, "dvc");
    send_lines(w, "/a", 1);
    look(w);
    wait_quietly(w, 2 * HOUR);
    assert_int_equal(w->n, 3); /* again */
    end(w);
}

/* ---- bounds ---- */

static void new_sources_do_not_push_out_known_ones(void **state)
{
    (void)state;
    char name[16];
    struct world *w = begin(&defaults);
    live(w, "/known", MINUTE, DAY + HOUR);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "/%d", i);
        send_lines(w, name, 1);
    }
    assert_int_equal(w->table.n, 100);
    assert_int_equal(w->table.n_agents, 1);
    wait_quietly(w, HOUR);
    EXPECT(w, COR_NOTICE_STOPPED);
    assert_string_equal(w->told[0].name, "/known");
    end(w);
}

static void not_more_than_some_are_told_at_once(void **state)
{
    (void)state;
    char name[16];
    struct world *w = begin(&defaults);
    for (int64_t t = 0; t < DAY + 2 * HOUR; t += 10 * MINUTE) {
        pass(w, 10 * MINUTE);
        for (int i = 0; i < 40; i++) {
            (void)snprintf(name, sizeof(name), "/%d", i);
            send_lines(w, name, 1);
        }
        look(w);
    }
    pass(w, HOUR);
    look(w);
    assert_int_equal(w->n, COR_JUDGE_TOLD_MAX);
    look(w);
    look(w);
    look(w);
    assert_int_equal(w->n, 40);
    end(w);
}

static void what_is_examined_again_counts_once(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    send_seq(w, "/a", 10, 10);
    send_seq(w, "/a", 5, 15);
    send_seq(w, "/a", 10, 10);
    send_seq(w, "/a", 5, 15);
    assert_int_equal(w->table.rows[0]->lines, 15);
    assert_int_equal(w->table.rows[0]->bytes, 150);
    end(w);
}

/* ---- a restart ---- */

static void restart(struct world *w)
{
    struct hd_buf text;
    const char *why = NULL;
    struct cor_sources_opts opts = w->table.opts;
    hd_buf_init(&text, 0);
    assert_int_equal(cor_sources_save(&w->table, &text), HD_OK);
    cor_judge_fini(&w->judge);
    cor_sources_fini(&w->table);
    w->now.mono_ns = 5; /* another boot of the machine */
    assert_int_equal(cor_sources_init(&w->table, &opts, &w->now), HD_OK);
    assert_int_equal(cor_sources_restore(&w->table, hd_buf_slice(&text), &w->now, &why),
                     HD_OK);
    hd_buf_fini(&text);
}

static void after_a_restart_silence_counts_from_the_restart(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, DAY + HOUR);
    w->now.wall_ns += DAY; /* nobody was there */
    restart(w);
    wait_quietly(w, 15 * MINUTE);
    assert_int_equal(w->n, 0);
    wait_quietly(w, 2 * MINUTE);
    EXPECT(w, COR_NOTICE_STOPPED); /* it is still known */
    restart(w);
    wait_quietly(w, HOUR);
    assert_int_equal(w->n, 1); /* and known to be silent */
    send_lines(w, "/a", 1);
    look(w);
    EXPECT(w, COR_NOTICE_STOPPED, COR_NOTICE_RESUMED);
    end(w);
}

static void a_lost_agent_is_not_told_again_after_a_restart(void **state)
{
    (void)state;
    struct world *w = begin(&defaults);
    live(w, "/a", MINUTE, HOUR);
    w->is_away = true;
    wait_quietly(w, HOUR);
    restart(w);
    wait_quietly(w, HOUR);
    EXPECT(w, COR_NOTICE_AGENT_LOST);
    w->is_away = false;
    look(w);
    EXPECT(w, COR_NOTICE_AGENT_LOST, COR_NOTICE_AGENT_BACK);
    end(w);
}

static void a_bad_file_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "[]", "{\"v\":2}", "{\"v\":1,\"sources\":[{}]}",
        ("{\"v\":1,\"sources\":[{\"agent\":\"a\",\"host\":\"h\",\"kind\":\"k\","
         "\"name\":\"n\"}]}")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct world *w = begin(&defaults);
        const char *why = NULL;
        assert_int_not_equal(
            cor_sources_restore(&w->table, hd_slice_str(bad[i]), &w->now, &why), HD_OK);
        assert_non_null(why);
        end(w);
    }
}

/* ---- its alerts ---- */

static void every_notice_is_a_good_alert(void **state)
{
    (void)state;
    char why[256], id[37];
    struct hd_buf scratch;
    struct cor_enrich *enrich = enrichment();
    hd_buf_init(&scratch, 0);
    for (int kind = 0; kind < COR_NOTICE_KINDS; kind++) {
        struct cor_notice *notice = NULL;
        json_t *alert = NULL;
        struct cor_notice_facts facts = {.kind = (enum cor_notice_kind)kind,
                                         .agent = HD_SLICE("web1"),
                                         .boot = HD_SLICE(BOOT),
                                         .source_kind = HD_SLICE("file"),
                                         .source_name = HD_SLICE("/var/log/auth.log"),
                                         .system = HD_SLICE("net"),
                                         .seq = 7,
                                         .last_ns = BEGIN,
                                         .now_ns = BEGIN + HOUR,
                                         .measure = HD_SLICE("12 s"),
                                         .measure_name = "measured",
                                         .level = 4};
        assert_int_equal(cor_notice_new(&facts, &notice), HD_OK);
        struct cor_alert_input in = cor_notice_input(notice);
        assert_int_equal(cor_alert_id(&in, &scratch, id), HD_OK);
        in.id = id;
        in.enrich = enrich;
        in.published_ns = BEGIN + HOUR;
        assert_int_equal(cor_alert_build(&in, &alert), HD_OK);
        assert_int_equal(hd_alert_check(alert, why), HD_OK);
        assert_string_equal(hd_alert_text(alert, "system.id"), "net");
        assert_string_equal(hd_alert_text(alert, "delivery"), "province");
        assert_true(hd_alert_text(alert, "rule.title_vi")[0] != '\0');
        assert_string_equal(json_string_value(json_object_get(
                                json_object_get(alert, "group"), "source.name")),
                            "/var/log/auth.log");
        assert_int_equal(hd_alert_int(alert, "severity", 0) == HD_SEV_CRITICAL,
                         kind == COR_NOTICE_STOPPED || kind == COR_NOTICE_AGENT_LOST ||
                             kind == COR_NOTICE_UNWATCHED);
        json_decref(alert);
        cor_notice_free(notice);
    }
    hd_buf_fini(&scratch);
    cor_enrich_unref(enrich);
}

/* ---- what a detector sees ---- */

static void a_tally_counts_by_source(void **state)
{
    (void)state;
    struct cor_tally *tally = NULL;
    struct cor_seen *seen = NULL;
    const struct hd_batch_source sources[] = {
        {.host = HD_SLICE("h0")},
        {.host = HD_SLICE("h1")},
        {.host = HD_SLICE("h2"), .kind = HD_SLICE("file"), .name = HD_SLICE("/x")}};
    const struct cor_tally_batch batch = {.agent = HD_SLICE("a"),
                                          .boot = HD_SLICE(BOOT),
                                          .taken_ns = BEGIN,
                                          .sources = sources,
                                          .n_sources = 3};
    assert_int_equal(cor_tally_new(&tally), HD_OK);
    for (int round = 0; round < 2; round++) {
        cor_tally_begin(tally);
        for (uint64_t i = 0; i < 40; i++) {
            struct hd_batch_record record = {.recv_ns = BEGIN,
                                             .seq = i + 1,
                                             .source = i % 2 == 0 ? 0 : 2,
                                             .line = HD_SLICE("12345")};
            int64_t wild = i == 1 ? DAY : 0;
            cor_tally_line(tally, &record, i % 2 == 0 ? 0 : BEGIN + MINUTE + wild);
        }
        assert_int_equal(cor_tally_end(tally, &batch, &seen), HD_OK);
        assert_int_equal(seen->n, 2);
        assert_int_equal(seen->sources[1].lines, 20);
        assert_int_equal(seen->sources[1].bytes, 100);
        assert_int_equal(seen->sources[1].last_seq, 40);
        assert_true(hd_slice_eq(seen->sources[1].name, HD_SLICE("/x")));
        assert_true(seen->sources[1].difference_ns == MINUTE);
        assert_false(seen->sources[0].has_difference);
        free(seen);
    }
    cor_tally_free(tally);
}

static void what_is_shown_is_json(void **state)
{
    (void)state;
    struct hd_buf out;
    struct world *w = begin(&defaults);
    send_lines(w, "/a\"", 3);
    look(w);
    hd_buf_init(&out, 0);
    cor_sources_show(&w->table, &w->judge, &out);
    json_t *all = json_loadb((const char *)out.ptr, out.len, 0, NULL);
    const json_t *one = json_array_get(json_object_get(all, "sources"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "name")), "/a\"");
    assert_int_equal(hd_alert_int(one, "lines_today", 0), 3);
    assert_string_equal(json_string_value(json_object_get(one, "state")), "new");
    json_decref(all);
    hd_buf_fini(&out);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_source_that_stops_is_told_once_and_its_return),
        cmocka_unit_test(a_long_stop_does_not_make_long_stops_usual),
        cmocka_unit_test(usual_pauses_are_learned),
        cmocka_unit_test(what_is_idle_by_nature_is_not_judged),
        cmocka_unit_test(a_lost_agent_is_told_once_and_not_its_sources),
        cmocka_unit_test(steps_of_the_wall_clock_silence_nobody),
        cmocka_unit_test(detection_that_is_behind_judges_nobody),
        cmocka_unit_test(what_cannot_be_told_is_told_later),
        cmocka_unit_test(without_alerts_it_is_known_all_the_same),
        cmocka_unit_test(far_less_than_usual_is_told),
        cmocka_unit_test(a_clock_that_is_steadily_off_is_told),
        cmocka_unit_test(an_old_file_that_is_read_is_no_wrong_clock),
        cmocka_unit_test(one_wild_line_is_no_wrong_clock),
        cmocka_unit_test(the_clock_of_an_agent_is_told),
        cmocka_unit_test(an_important_system_without_a_source_is_told),
        cmocka_unit_test(new_sources_do_not_push_out_known_ones),
        cmocka_unit_test(not_more_than_some_are_told_at_once),
        cmocka_unit_test(what_is_examined_again_counts_once),
        cmocka_unit_test(after_a_restart_silence_counts_from_the_restart),
        cmocka_unit_test(a_lost_agent_is_not_told_again_after_a_restart),
        cmocka_unit_test(a_bad_file_is_refused),
        cmocka_unit_test(every_notice_is_a_good_alert),
        cmocka_unit_test(a_tally_counts_by_source),
        cmocka_unit_test(what_is_shown_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
