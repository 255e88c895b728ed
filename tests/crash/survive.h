/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the test of what survives: random worlds (rules, events in an archive) and
 * random lives of a correlator in them. All chance comes from seeds.
 */
#pragma once
#include "tests/support/support.h"

#include "correlator/state/state.h"

#define SURVIVE_SETS       4U /* the same rules, among others that come, go and change */
#define SURVIVE_ERAS       2U /* in the second the rules themselves have changed */
#define SURVIVE_ALERTS     4096U
#define SURVIVE_FEW_ALERTS 80U /* four times what a batch raises, or about */
#define SURVIVE_BATCHES    16U
#define SURVIVE_BATCH_MAX  8U /* events */

struct chance { /* one stream of random numbers */
    uint64_t state;
};
uint32_t chance_below(struct chance *c, uint32_t n);
bool chance_one_in(struct chance *c, uint32_t n);

/* ---- survive_rules.c ---- */

struct survive_set {
    unsigned era, other;
};
/* Rules that every set of an era has, and of which alerts are compared, among others. */
void survive_rules(uint64_t world, struct survive_set which, struct hd_buf *out);

/* ---- survive_world.c ---- */

struct survive_world {
    uint64_t seed;
    bool is_quick; /* batches come faster than windows are looked for */
    bool is_alone; /* no other rules come and go: they would make a difference to memory
                      that is shared */
    char archive[512], rules[512];
    struct rul_set *sets[SURVIVE_ERAS][SURVIVE_SETS];
    uint64_t era_begins; /* with this entry, if not with the first */
    struct cor_enrich *enrich;
    struct cor_state_opts opts; /* but for the directories */
};

/* `dir` is there, for this world alone. */
void survive_world_make(uint64_t seed, const char *dir, struct survive_world *w);
void survive_world_end(struct survive_world *w);
/* Removes a directory and all below. */
void survive_wipe(const char *dir);

/* ---- survive_life.c ---- */

struct survive_alert {
    char id[37], rule[40];
    uint64_t count, suppressed, throttled;
};

struct survive_run {
    unsigned n_alerts;
    struct survive_alert alerts[SURVIVE_ALERTS];
    unsigned lives, crashes, restarts, reloads, snapshots;
    uint64_t evicted; /* groups and repeats, in all lives */
    uint64_t groups,
        bytes;     /* that the last life leaves: what goes next is the same, too */
    uint64_t seed; /* of what happens to it; 0: nothing does */
    char dir[512];
    uint64_t kept; /* entries before are in a snapshot */
};

/* From the first entry of the archive to the last, in as many lives as it takes. */
void survive_run_all(const struct survive_world *w, struct survive_run *run);
