/* SPDX-License-Identifier: Apache-2.0
 *
 * MITRE ATT&CK tactics from a Sigma rule's tags: "attack.credential-access" (the name, as
 * Sigma writes it, '-' or '_') or "attack.ta0006".
 */
#pragma once
#include <stddef.h>

struct cor_tactic {
    const char *id;   /* "TA0006" */
    const char *name; /* "Credential Access" */
};

/* The first tactic among the tags, in their order; NULL when there is none. */
const struct cor_tactic *cor_attack_tactic(const char *const *tags, size_t n_tags);
