/* SPDX-License-Identifier: Apache-2.0
 *
 * Times on the command line.
 */
#pragma once
#include <stdint.h>

#include <haidang/err.h>

/* "24h": so far back; or a time as RFC 3339 writes it. Prints what is wrong: HD_EINVAL.
 */
int con_when(const char *option, const char *text, int64_t *out) HD_MUST_USE;
