/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of detection share: a world of an archive, detectors and the state
 * thread, as threads, and the journals into which they write.
 */
#pragma once
#include "tests/support/support.h"

#include "correlator/state/state.h"

#define WORLD_BOOT "0123456789abcdef0123456789abcdef"

/* "Failed" is informational and feeds "Guessing", six of an address within 5 minutes;
 * "Accepted" is an alert by itself. In the
 * others any failure is a "Session". */
extern const char world_rules[], world_other_rules[];
/* To be put behind them: six of an address within an hour. */
#define WORLD_SLOW_RULE                                                                  \
    "---\n"                                                                              \
    "title: Slow\n"                                                                      \
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd632\n"                                         \
    "status: test\n"                                                                     \
    "correlation:\n"                                                                     \
    "  type: event_count\n"                                                              \
    "  rules: [failed]\n"                                                                \
    "  group-by: [source.ip]\n"                                                          \
    "  timespan: 1h\n"                                                                   \
    "  condition: {gte: 6}\n"                                                            \
    "level: high\n"

struct world {
    char archive_dir[512], alerts_dir[512], rules[512], other_rules[512], snapshot[512];
    char losses_dir[512];
    uint64_t losses_max; /* bytes */
    struct cor_losses *losses;
    struct hd_journal *archive;
    struct cor_rules *in_force, *other;
    struct cor_enrich *enrich;
    struct cor_state *state;
    struct cor_detector *detectors[4];
    unsigned n_detectors;
    uint64_t generation; /* of the rules that were handed out last */
    uint64_t seq;
    int64_t now_ns;
    struct cor_state_opts opts;
    int64_t warm_up_ns;
};

extern struct world w; /* of the test at hand */

int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* ---- rules ---- */

/* With the counts of the rules in force. */
struct cor_rules *world_load(const char *path);
/* These are in force from the start on. */
void world_use_rules(const char *text);
/* With the slow one, and lines so long ago that no warm-up reaches them. */
void world_use_slow_rule(void);

/* ---- the archive ---- */

void world_append(const char *agent, struct hd_slice payload,
                  const struct hd_batch_info *info);
/* A batch of `n` lines, one each tenth of a second: WHAT password for root from IP. */
void world_archive(const char *agent, unsigned n, const char *what, const char *ip);

/* ---- the threads ---- */

void world_open_losses(void);
void world_close_losses(void);
/* So many detectors, and the state thread. */
void world_start(unsigned detectors);
void world_stop(void);
/* The first detector is to take them up. */
int world_use(struct cor_rules *rules);
/* This one is. */
int world_use_in(unsigned detector, struct cor_rules *rules, uint64_t generation);
/* Lines examined so far, ever. */
uint64_t world_lines(void);
/* Waits until so many more lines were examined than at `since`. */
void world_examined(uint64_t since, uint64_t lines);
/* One detector from start to end, until it has examined `lines` more. */
void world_detect(uint64_t lines);
/* Examines what is left, however much that is. */
void world_catch_up(void);
/* From now on snapshots are taken so often. */
void world_remember(int64_t every_ns);
/* As if no detector had ever saved where it is. */
void world_forget_cursors(void);

/* ---- what comes of it ---- */

struct world_alerts {
    unsigned n;
    json_t *all[64];
};

/* Fails the test when an id comes twice. */
struct world_alerts world_alerts(void);
unsigned world_count(const struct world_alerts *a, const char *title);
void world_drop(struct world_alerts *a);
/* So many of "Guessing" and of "Accepted", and none of "Failed". */
void world_expect(unsigned guessing, unsigned accepted);

const struct cor_rule_counts *world_counts(const struct cor_rules *rules,
                                           const char *name);
void world_expect_counts(const char *name, uint64_t hits, uint64_t alerts,
                         uint64_t suppressed, uint64_t throttled);
