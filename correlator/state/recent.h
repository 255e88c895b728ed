/* SPDX-License-Identifier: Apache-2.0
 *
 * The ids of the newest alerts in the journal: a replay after a crash yields the same
 * ids, and what is here is not published again. Bounded ring. State thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/err.h>

#define COR_ALERT_ID_LEN 36

struct cor_recent;

int cor_recent_new(uint32_t cap, struct cor_recent **out) HD_MUST_USE;
void cor_recent_free(struct cor_recent *recent);
/* Ids of another length are none: false, and never kept. */
bool cor_recent_has(const struct cor_recent *recent, const char *id);
int cor_recent_add(struct cor_recent *recent, const char *id) HD_MUST_USE;
