/* SPDX-License-Identifier: Apache-2.0
 *
 * Other names of log sources, from a file of the site: what a decoder calls one thing
 * rules may call another.
 *
 *     - events: {product: fortigate}            what decoders say
 *       also: [{category: firewall}, ...]       what rules may say
 *
 * An entry holds for every log source that its `events` covers; entries apply in order,
 * also to what entries before them have added.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/diag.h>

#include "rules/event.h"

/* Adds log sources to classes[0..n), which are the caller's. HD_EPARSE (all that is wrong
 * was reported, the rest was done), HD_ENOMEM. Texts live in `keep`. */
int rul_aliases_apply(const char *file, struct rul_class *classes, uint16_t n,
                      struct hd_arena *keep, struct hd_diags *diags) HD_MUST_USE;
