/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/uplink/probe.h"

#include <haidang/inet.h>

int col_uplink_dial(uv_loop_t *loop, const struct col_conf_uplink *conf, size_t target,
                    struct hd_stream_opts *opts, struct hd_stream **out)
{
    struct hd_hostport at;
    int err = hd_hostport_parse(hd_slice_str(conf->correlators[target]), &at);
    if (err != HD_OK) {
        return err;
    }
    bool is_named = conf->server_name != NULL && conf->server_name[0] != '\0';
    opts->verify_name = is_named ? conf->server_name : NULL;
    return hd_stream_connect(loop, at.host, at.port, opts, out);
}

static void try_next(struct col_probe *probe);

static void on_open(void *ctx, struct hd_stream *stream)
{
    struct col_probe *probe = ctx;
    probe->is_reached = true;
    hd_stream_close(stream, 0);
}

static void on_data(void *ctx, struct hd_slice data)
{
    (void)ctx;
    (void)data;
}

static void on_close(void *ctx, int err, const char *why)
{
    struct col_probe *probe = ctx;
    (void)err;
    (void)why;
    probe->stream = NULL;
    if (probe->is_cancelled) {
        probe->cancelled(probe->ctx);
    } else if (probe->is_reached) {
        probe->done(probe->ctx, probe->target);
    } else {
        probe->target++;
        try_next(probe);
    }
}

static const struct hd_stream_ops ops = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

static void try_next(struct col_probe *probe)
{
    struct hd_stream_opts opts = {.ops = &ops, .ctx = probe, .tls = probe->tls};
    while (probe->target < probe->end &&
           col_uplink_dial(probe->loop, probe->conf, probe->target, &opts,
                           &probe->stream) != HD_OK) {
        probe->stream = NULL;
        probe->target++;
    }
    if (probe->stream == NULL) {
        probe->done(probe->ctx, probe->end);
    }
}

void col_probe_start(struct col_probe *probe, size_t end)
{
    if (probe->stream != NULL) {
        return;
    }
    probe->target = 0;
    probe->end = end;
    probe->is_reached = false;
    probe->is_cancelled = false;
    try_next(probe);
}

bool col_probe_cancel(struct col_probe *probe)
{
    if (probe->stream == NULL) {
        return false;
    }
    probe->is_cancelled = true;
    hd_stream_close(probe->stream, 0);
    return true;
}
