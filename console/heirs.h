/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of the groups of a correlation that has changed, in words
 * (docs/correlation.md, "Reload").
 */
#pragma once
#include <stdbool.h>

/* `key`: of rul_heir_key, or as the correlator's status gave it. */
const char *con_heir_text(const char *key, bool is_vietnamese);
