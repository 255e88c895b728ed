/* SPDX-License-Identifier: Apache-2.0
 *
 * How a stream comes to a connection: the name is resolved in libuv's thread pool, then
 * each address is tried in turn, each with its fair share of the time that is left. The
 * resolver's request outlives a stream that was closed meanwhile and then frees itself.
 */
#include <haidang/stream.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/stream_core.h"

struct hd_stream_dial {
    uv_getaddrinfo_t req;
    struct hd_stream *stream; /* NULL: abandoned while resolving */
    struct addrinfo *list;
    const struct addrinfo *next;
    unsigned n, n_tried;
    char target[HD_HOST_MAX + 8]; /* "host:port" */
    int last_status;
};

static void dial_failed(struct hd_stream *stream)
{
    const struct hd_stream_dial *dial = stream->dial;
    char tried[48] = "";
    if (dial->n > 1) {
        (void)snprintf(tried, sizeof(tried), " (the last of %u addresses)", dial->n);
    }
    int err = hd_err_from_uv(dial->last_status);
    hd_stream_fail(stream, err == HD_ETIMEDOUT ? err : HD_ECONN, "connect to %s: %s%s",
                   dial->target, uv_strerror(dial->last_status), tried);
}

/* The handle must close before the next address can use its place. */
static void attempt_failed(struct hd_stream *stream, int status)
{
    stream->dial->last_status = status;
    stream->state = HD_STREAM_RETRYING;
    hd_owner_close(&stream->owner, (uv_handle_t *)&stream->tcp);
}

static void connected(uv_connect_t *req, int status)
{
    struct hd_stream *stream = HD_CONTAINER(req, struct hd_stream, connect_req);
    if (stream->state != HD_STREAM_CONNECTING) {
        return;
    }
    if (status != 0) {
        attempt_failed(stream, status);
        return;
    }
    hd_stream_dial_cancel(stream);
    hd_stream_begin(stream);
}

static void dial_timer(uv_timer_t *timer)
{
    struct hd_stream *stream = HD_CONTAINER(timer, struct hd_stream, timer);
    if (stream->state == HD_STREAM_CONNECTING) {
        attempt_failed(stream, UV_ETIMEDOUT);
    } else if (stream->state == HD_STREAM_RESOLVING) {
        hd_stream_fail(stream, HD_ETIMEDOUT, "no answer from the resolver for %s in time",
                       stream->dial->target);
    }
}

void hd_stream_dial_next(struct hd_stream *stream)
{
    struct hd_stream_dial *dial = stream->dial;
    const struct addrinfo *address = dial->next;
    uint64_t now = uv_now(stream->loop);
    if (address == NULL || (dial->n_tried > 0 && now >= stream->deadline)) {
        dial_failed(stream);
        return;
    }
    uint64_t share = stream->deadline > now ? stream->deadline - now : 0;
    share /= dial->n - dial->n_tried;
    (void)uv_timer_start(&stream->timer, dial_timer, share + 1, 0);
    dial->next = address->ai_next;
    dial->n_tried++;

    (void)uv_tcp_init(stream->loop, &stream->tcp);
    hd_owner_add(&stream->owner, (uv_handle_t *)&stream->tcp);
    stream->has_tcp = true;
    stream->state = HD_STREAM_CONNECTING;
    int status =
        uv_tcp_connect(&stream->connect_req, &stream->tcp, address->ai_addr, connected);
    if (status != 0) {
        attempt_failed(stream, status);
    }
}

void hd_stream_dial_cancel(struct hd_stream *stream)
{
    struct hd_stream_dial *dial = stream->dial;
    if (dial == NULL) {
        return;
    }
    stream->dial = NULL;
    dial->stream = NULL;
    if (dial->n == 0) {
        /* resolved() comes and frees it, sooner when this works */
        (void)uv_cancel((uv_req_t *)&dial->req);
        return;
    }
    uv_freeaddrinfo(dial->list);
    free(dial);
}

static unsigned count_addresses(const struct addrinfo *list)
{
    unsigned n = 0;
    for (; list != NULL; list = list->ai_next) {
        n++;
    }
    return n;
}

static void resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct hd_stream_dial *dial = HD_CONTAINER(req, struct hd_stream_dial, req);
    struct hd_stream *stream = dial->stream;
    if (stream == NULL) {
        uv_freeaddrinfo(list);
        free(dial);
        return;
    }
    dial->list = list;
    dial->next = list;
    dial->n = count_addresses(list);
    if (status == 0 && dial->n > 0) {
        hd_stream_dial_next(stream);
        return;
    }
    dial->n = 1; /* the request is over: dial_cancel may free */
    hd_stream_fail(stream, HD_ECONN, "cannot resolve %s: %s", dial->target,
                   status == 0 ? "no address" : uv_strerror(status));
}

static int dial_start(struct hd_stream *stream, const char *host, uint16_t port)
{
    struct hd_stream_dial *dial = calloc(1, sizeof(*dial));
    if (dial == NULL) {
        return HD_ENOMEM;
    }
    bool is_v6 = strchr(host, ':') != NULL;
    (void)snprintf(dial->target, sizeof(dial->target), is_v6 ? "[%s]:%u" : "%s:%u", host,
                   port);
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    dial->stream = stream;
    int status =
        uv_getaddrinfo(stream->loop, &dial->req, resolved, host, service, &hints);
    if (status != 0) {
        free(dial);
        return hd_err_from_uv(status);
    }
    stream->dial = dial;
    return HD_OK;
}

int hd_stream_connect(uv_loop_t *loop, const char *host, uint16_t port,
                      const struct hd_stream_opts *opts, struct hd_stream **out)
{
    if (host == NULL || host[0] == '\0' || strlen(host) >= HD_HOST_MAX || port == 0) {
        return HD_EINVAL;
    }
    struct hd_stream *stream = NULL;
    int err = hd_stream_new(
        loop, opts, opts->verify_name != NULL ? opts->verify_name : host, &stream);
    if (err != HD_OK) {
        return err;
    }
    stream->state = HD_STREAM_RESOLVING;
    err = dial_start(stream, host, port);
    if (err != HD_OK) {
        hd_stream_discard(stream);
        return err;
    }
    (void)uv_timer_start(&stream->timer, dial_timer, stream->handshake_ms, 0);
    *out = stream;
    return HD_OK;
}
