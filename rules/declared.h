/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders of events whose log sources were declared; for load.c.
 */
#pragma once
#include "rules/set.h"

/* Decoders that give every event the log sources in opts->declared. */
int rul_declare_decoders(const struct rul_set_opts *opts, struct rul_fields *fields,
                         struct rul_decoders **out, struct hd_diags *diags) HD_MUST_USE;
