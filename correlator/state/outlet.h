/* SPDX-License-Identifier: Apache-2.0
 *
 * Where alerts leave the state thread: they get an id, are built, queued for the alert
 * journal and remembered by id. What is lost is counted and said.
 */
#pragma once
#include "correlator/publish/alert_build.h"
#include "correlator/publish/publish.h"
#include "correlator/sources/notice.h"
#include "correlator/state/recent.h"

struct cor_outlet {
    struct cor_publish *publish;
    struct cor_recent *recent;
    uint32_t since_kept; /* alerts, of whatever kind, since the last snapshot was begun */
    struct cor_enrich *enrich;          /* a reference */
    struct hd_buf group;                /* scratch */
    bool (*wait_for_memory)(void *ctx); /* false: this process is to end without */
    void *ctx;
};

/* Takes a reference of its own. */
void cor_outlet_init(struct cor_outlet *o, struct cor_enrich *enrich,
                     bool (*wait_for_memory)(void *ctx), void *ctx);
void cor_outlet_fini(struct cor_outlet *o);
/* False: it has no id, and was counted, or memory is short and this process is to end. */
bool cor_outlet_identify(struct cor_outlet *o, const struct cor_alert_input *in,
                         char id[37]);
/* An alert with this id was published before, by us or by a process that had come as far.
 * Asked once for each alert that is to be published. */
bool cor_outlet_is_known(struct cor_outlet *o, const char id[37]);
/* Completes the input by what is the same for all alerts. */
void cor_outlet_publish(struct cor_outlet *o, struct cor_alert_input *in);
/* Publishes an alert of our own. No rule of the set made it, so nothing counts it or
 * holds it back but that it is in the journal already. */
void cor_outlet_tell(struct cor_outlet *o, const struct cor_notice *notice);
