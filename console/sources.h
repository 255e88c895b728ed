/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang sources: its parts that tests call.
 */
#pragma once
#include <haidang/buf.h>
#include <jansson.h>

#include "console/command.h"
#include "console/show.h"
#include "console/systems.h"

/* The sources of an answer, the worst first; only_silent: those that are silent, slow, or
 * whose agent is lost. own: a new array; NULL without memory. */
json_t *con_sources_sorted(const json_t *answer, bool only_silent);
/* Of the correlator's word: "SILENT", in the reader's language. */
const char *con_source_state_text(const struct con_show *show, const char *name);
/* Writes down whose each source is (member `system`), and takes out of the answer what is
 * of systems that were not asked for. HD_ENOMEM. */
int con_sources_systems(json_t *answer, const struct con_systems *systems) HD_MUST_USE;
void con_sources_text(const struct con_show *show, const json_t *answer,
                      const json_t *rows, struct hd_buf *out);
