/* SPDX-License-Identifier: Apache-2.0
 *
 * Canaries as the state thread has them. They touch nothing that real events do: no group
 * of a correlation, no suppression, no throttle, no count of a rule. A correlation is
 * tried in a correlator of its own, empty at the run's first line, in which silence
 * follows the last one. What fires becomes an alert of status "test". State thread, but
 * for what cor_proofs says.
 */
#pragma once
#include "correlator/canary/proofs.h"
#include "correlator/detect/hit.h"
#include "correlator/state/outlet.h"

struct cor_canaries;

/* `path` of the proofs is borrowed; NULL: none are kept. `out` is borrowed. */
int cor_canaries_new(const char *path, const struct cor_rules *rules,
                     struct cor_outlet *out, struct cor_canaries **canaries) HD_MUST_USE;
void cor_canaries_free(struct cor_canaries *canaries);

/* A canary that was seen before this process, by one of its alerts. */
void cor_canaries_seed(struct cor_canaries *canaries, const json_t *alert);
/* An event with a canary. `is_of_set`: it was decoded with the rules in force. */
void cor_canaries_take(struct cor_canaries *canaries, struct cor_rules *rules,
                       struct cor_event *event, bool is_of_set);
/* Other rules are in force: runs that have begun cannot be finished any more. */
void cor_canaries_end_runs(struct cor_canaries *canaries);
void cor_canaries_save(struct cor_canaries *canaries, const struct cor_rules *rules);

const struct cor_proofs *cor_canaries_proofs(const struct cor_canaries *canaries);
