/* SPDX-License-Identifier: Apache-2.0
 *
 * New files that may be copies of followed ones: a rotation that copies and then
 * truncates (copytruncate), under a pattern that matches the copy too. While a new file
 * has the bytes of another one beside it, as far as both go, it is not read: either the
 * other one is truncated, and guard.c goes on in the copy where we were in the original,
 * or nothing happens, and it is a file like any other. Nobody's lines are passed over
 * here; they only come later. Agent loop thread.
 */
#pragma once
#include "collector/source/nodes.h"

/* By its name it may be a copy: in the same directory, alike, and not what took the other
 * one's name, and its place. */
bool col_shadow_is_beside(const struct col_node *n, const struct col_node *original);
/* True: not now; look again at n->shadow_ns, or when it changes. */
bool col_shadow_waits(const struct col_nodes *nodes, struct col_node *n);
