/* SPDX-License-Identifier: Apache-2.0
 *
 * The time zone of a source: what its times mean when they do not say (RFC 3164). It
 * travels with each batch, since nobody but the agent can know it.
 */
#pragma once
#include "collector/conf.h"
#include "collector/source/source.h"

#define COL_ZONE_MAX 64

/* This server's zone as a name of the tz database: TZ, else what /etc/localtime points
 * at, else "UTC" (what the C library takes then). Once, at start. */
void col_zone_own(char out[COL_ZONE_MAX]);

/* `time_zone` of the source; else this server's for what is written on this server
 * (files, standard input, listeners on loopback); else empty: the correlator's default. A
 * view of the configuration or of env. */
struct hd_slice col_zone_of(const struct col_conf_source *conf,
                            const struct col_source_env *env);
