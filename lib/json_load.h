/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading JSON with jansson so that a failed allocation is not taken for bad input.
 * Private to lib/.
 */
#pragma once
#include <jansson.h>

#include <haidang/err.h>
#include <haidang/slice.h>

/* own: *out is a new reference. HD_ENOMEM; HD_EPARSE: `error` says where and what. */
int hd_json_load(struct hd_slice text, json_t **out, json_error_t *error) HD_MUST_USE;
