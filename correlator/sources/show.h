/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory of sources for people: the answer at /sources.
 */
#pragma once
#include "correlator/sources/judge.h"

/* Bounded: those beyond are counted ("left_off"). */
void cor_sources_show(const struct cor_sources *t, const struct cor_judge *judge,
                      struct hd_buf *out);
/* "ok", "new", "silent", "slow", "clock", "agent-lost": the worst that is so. */
const char *cor_source_state(const struct cor_source *s);
