/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving up what a program does not need. Open first what takes privilege (ports, capture
 * devices, keys), then call these once, from the main thread.
 */
#pragma once
#include <haidang/err.h>

/* Becomes `user` (with all its groups), or `group` alone beside it; NULL or "" = keep.
 * Started as that user already: nothing to do. HD_ENOENT: no such user or group;
 * HD_EACCES: not allowed to change; `why` says it for people. On failure the process must
 * end: it may be half changed. */
int hd_harden_user(const char *user, const char *group, char why[256]) HD_MUST_USE;

/* No program that this one starts can gain privilege; no core dump and no debugger can
 * read keys from its memory. After hd_harden_user. */
int hd_harden_process(void) HD_MUST_USE;
