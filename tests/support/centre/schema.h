/* SPDX-License-Identifier: Apache-2.0
 *
 * A small JSON Schema checker (draft 2020-12): the keywords that our message schemas use,
 * and an error for any other, so that nothing is passed over silently. It knows nothing
 * of the forwarder: what it accepts was checked independently.
 */
#pragma once
#include <jansson.h>
#include <stddef.h>

/* NULL, or what in the schema is not supported (static or in `why`). */
int schema_check(const json_t *schema, char why[256]);
/* 0, or -1 and `why`: "/severity: above the maximum". */
int schema_validate(const json_t *schema, const json_t *value, char why[256]);
