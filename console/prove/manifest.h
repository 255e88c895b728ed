/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest of a bundle as somebody gives it to us: only where to look, nothing in it
 * is believed.
 */
#pragma once
#include "console/prove/chain.h"

#define CON_MANIFEST_NAME "manifest.json"
#define CON_MANIFEST_MAX  ((size_t)4 << 20)

/* Into a chain that con_chain_init made: subject and entries, segments stay empty. Every
 * entry has segment, entry and offset above 0, and there are no more than a chain has.
 * HD_ECORRUPT: `why` says what is wrong. */
int con_manifest_parse(struct hd_slice text, struct con_chain *chain,
                       char why[256]) HD_MUST_USE;
