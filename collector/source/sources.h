/* SPDX-License-Identifier: Apache-2.0
 *
 * All sources of the configuration, as one thing to open, pause and close. Agent loop
 * thread.
 */
#pragma once
#include <haidang/json.h>

#include "collector/conf.h"
#include "collector/source/source.h"

struct col_sources;

/* Opens every source; `env` and `conf` are borrowed for its life. On failure those that
 * were opened are closed again (run the loop) and `why` names the source. */
int col_sources_open(const struct col_source_env *env, const struct col_conf *conf,
                     struct col_sources **out, char why[256]) HD_MUST_USE;
void col_sources_pause(struct col_sources *s);
/* One after the other, in turns; a pause may come before all are. */
void col_sources_resume(struct col_sources *s);
/* Of streams alone (struct col_source_ops), whatever the others do meanwhile. */
void col_sources_hold(struct col_sources *s);
void col_sources_release(struct col_sources *s);
void col_sources_reload(struct col_sources *s);
/* Before col_sources_close: those whose senders can be asked to end take what is on its
 * way; all others go on meanwhile. */
void col_sources_drain(struct col_sources *s, void (*drained)(void *ctx), void *ctx);
void col_sources_close(struct col_sources *s, void (*closed)(void *ctx), void *ctx);

/* Sums over all sources. */
void col_sources_stats(const struct col_sources *s, struct col_source_stats *out);
/* Member "sources" of /status. */
void col_sources_status(const struct col_sources *s, struct hd_json *json);
