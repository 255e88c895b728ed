/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment that has no time stamp of its own, and one sealed after it that has: the
 * statements between, each of which names the SHA-256 of the one before, show that the
 * first was there when the authority saw the last. Nobody's signature is needed for that.
 */
#pragma once
#include "console/prove/segment.h"

#define CON_COVER_MAX ((size_t)256 << 10) /* bytes of statements: some 400 */

/* Looks in the segment's journal for the nearest that follows and has a time stamp; into
 * segment->chain and segment->stamp. There may be none: HD_OK, both stay empty. */
int con_cover_find(const char *dir, struct con_segment *segment) HD_MUST_USE;

/* What the stamp has to be of: `digest` of the last statement of the chain, about the
 * segment *last; or, without a chain, of the segment's own. HD_ECORRUPT: a statement does
 * not follow the one before. */
int con_cover_digest(const struct con_segment *segment, uint8_t digest[HD_SHA256_LEN],
                     uint64_t *last) HD_MUST_USE;
