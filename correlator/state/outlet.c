/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/state/outlet.h"

#include <stdio.h>

#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"

#define GROUP_TEXT_MAX ((size_t)64 << 10)

void cor_outlet_init(struct cor_outlet *o, struct cor_enrich *enrich,
                     bool (*wait_for_memory)(void *ctx), void *ctx)
{
    o->enrich = cor_enrich_ref(enrich);
    o->wait_for_memory = wait_for_memory;
    o->ctx = ctx;
    hd_buf_init(&o->group, GROUP_TEXT_MAX);
}

void cor_outlet_fini(struct cor_outlet *o)
{
    cor_publish_close(o->publish);
    cor_recent_free(o->recent);
    hd_buf_fini(&o->group);
    cor_enrich_unref(o->enrich);
}

static int try_to_publish(struct cor_outlet *o, const struct cor_alert_input *in,
                          char why[256])
{
    json_t *alert = NULL;
    (void)snprintf(why, 256, "it could not be built");
    int err = cor_alert_build(in, &alert);
    if (err == HD_OK) {
        err = cor_publish_add(o->publish, alert, why);
    }
    json_decref(alert);
    return err != HD_OK ? err : cor_recent_add(o->recent, in->id);
}

void cor_outlet_publish(struct cor_outlet *o, struct cor_alert_input *in)
{
    char why[256];
    in->published_ns = hd_clock_wall_ns();
    in->enrich = o->enrich;
    int err = try_to_publish(o, in, why);
    while (err == HD_ENOMEM && o->wait_for_memory(o->ctx)) {
        err = try_to_publish(o, in, why);
    }
    if (err != HD_OK && err != HD_ENOMEM) {
        COR_COUNT(COR_M_INVALID, 1);
        HD_LOG(ERROR, "state", "an alert was lost; please report this",
               HD_KV_STR("rule", in->rule->id), HD_KV_SLICE("event", in->event->position),
               HD_KV_STR("why", why), HD_KV_ERR(err));
    }
}

bool cor_outlet_identify(struct cor_outlet *o, const struct cor_alert_input *in,
                         char id[37])
{
    int err = cor_alert_id(in, &o->group, id);
    while (err == HD_ENOMEM && o->wait_for_memory(o->ctx)) {
        err = cor_alert_id(in, &o->group, id);
    }
    COR_COUNT(COR_M_INVALID, err != HD_OK && err != HD_ENOMEM);
    return err == HD_OK;
}

bool cor_outlet_is_known(struct cor_outlet *o, const char id[37])
{
    o->since_kept++;
    return cor_recent_has(o->recent, id);
}

void cor_outlet_tell(struct cor_outlet *o, const struct cor_notice *notice)
{
    char id[37];
    struct cor_alert_input in = cor_notice_input(notice);
    in.id = id;
    if (cor_outlet_identify(o, &in, id) && !cor_outlet_is_known(o, id)) {
        cor_outlet_publish(o, &in);
    }
}
