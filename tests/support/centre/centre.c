/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of the test centre. A connection holds what it has read until a request is
 * whole; answers go out in order, one at a time.
 */
#include "tests/support/centre/centre.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <haidang/buf.h>
#include <haidang/fs.h>
#include <haidang/loop.h>
#include <haidang/stream.h>

#include "tests/support/centre/answers.h"
#include "tests/support/centre/request.h"
#include "tests/support/centre/schema.h"

#define BIG_BYTES ((size_t)2 << 20)

struct centre {
    struct centre_opts opts;
    uv_loop_t *loop;
    struct hd_listener *listener;
    struct answers answers;
    struct timespec control_seen;
    off_t control_size;
    struct connection *connections; /* doubly linked */
    unsigned n_requests;
    bool is_closing;
};

struct connection {
    struct centre *centre;
    struct connection *next, *prev;
    struct hd_stream *stream;
    struct hd_buf in;
    uv_timer_t *delay; /* an answer waits; freed in its close callback */
    bool is_over;      /* no more answers */
};

static void connection_work(struct connection *connection);

static void centre_try_free(struct centre *centre)
{
    if (centre->is_closing && centre->connections == NULL) {
        free(centre);
    }
}

/* ---- what to answer ---- */

static void read_control(struct centre *centre)
{
    struct stat st;
    const char *path = centre->opts.control_file;
    if (path == NULL || stat(path, &st) != 0 ||
        (st.st_mtim.tv_sec == centre->control_seen.tv_sec &&
         st.st_mtim.tv_nsec == centre->control_seen.tv_nsec &&
         st.st_size == centre->control_size)) {
        return;
    }
    centre->control_seen = st.st_mtim;
    centre->control_size = st.st_size;
    struct hd_buf text;
    hd_buf_init(&text, 4097);
    if (hd_fs_read(path, 4096, &text) != HD_OK ||
        answers_parse(hd_buf_slice(&text), &centre->answers) != HD_OK) {
        (void)fprintf(stderr, "centre: %s is not understood\n", path);
    }
    hd_buf_fini(&text);
}

int centre_answers(struct centre *centre, const char *words)
{
    return answers_parse(hd_slice_str(words), &centre->answers);
}

/* The centre's own judgement: 0 = fine, else the status to refuse with. */
static unsigned judge(const struct centre *centre, const struct request *request,
                      const json_t *body, char why[256])
{
    const struct centre_opts *opts = &centre->opts;
    why[0] = '\0';
    if (opts->authorization != NULL &&
        !hd_slice_eq(request->authorization, hd_slice_str(opts->authorization))) {
        (void)snprintf(why, 256, "wrong or missing Authorization");
        return 401;
    }
    if (opts->path != NULL && !hd_slice_eq(request->target, hd_slice_str(opts->path))) {
        (void)snprintf(why, 256, "unknown path");
        return 404;
    }
    if (!hd_slice_eq(request->method, HD_SLICE("POST")) &&
        !hd_slice_eq(request->method, HD_SLICE("PUT"))) {
        (void)snprintf(why, 256, "wrong method");
        return 405;
    }
    if (!hd_slice_eq(request->content_type, HD_SLICE("application/json"))) {
        (void)snprintf(why, 256, "wrong Content-Type");
        return 415;
    }
    if (body == NULL) {
        (void)snprintf(why, 256, "no JSON");
        return 400;
    }
    return opts->schema != NULL && schema_validate(opts->schema, body, why) != 0 ? 400
                                                                                 : 0;
}

/* ---- answering ---- */

static void respond(struct connection *connection, unsigned status, uint64_t retry_after,
                    size_t padding)
{
    struct hd_buf out;
    char text[64];
    hd_buf_init(&out, 0);
    int n = snprintf(text, sizeof(text), "{\"status\":%u}", status);
    hd_buf_printf(&out, "HTTP/1.1 %u Answer\r\nContent-Type: application/json\r\n",
                  status);
    if (retry_after > 0) {
        hd_buf_printf(&out, "Retry-After: %llu\r\n", (unsigned long long)retry_after);
    }
    hd_buf_printf(&out, "Content-Length: %zu\r\n\r\n%s", (size_t)n + padding, text);
    uint8_t *room = padding > 0 ? hd_buf_reserve(&out, padding) : NULL;
    if (room != NULL) {
        memset(room, ' ', padding);
        out.len += padding;
    }
    if (hd_stream_write(connection->stream, hd_buf_slice(&out)) != HD_OK) {
        connection->is_over = true;
    }
    hd_buf_fini(&out);
}

static void delay_closed(uv_handle_t *handle)
{
    free(handle);
}

static void delay_over(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    connection->delay = NULL;
    uv_close((uv_handle_t *)timer, delay_closed);
    respond(connection, 200, 0, 0);
    connection_work(connection);
}

static void respond_late(struct connection *connection, uint64_t ms)
{
    connection->delay = malloc(sizeof(*connection->delay));
    if (connection->delay == NULL) {
        connection->is_over = true;
        return;
    }
    (void)uv_timer_init(connection->centre->loop, connection->delay);
    connection->delay->data = connection;
    (void)uv_timer_start(connection->delay, delay_over, ms, 0);
}

static void carry_out(struct connection *connection, const struct answer *answer,
                      unsigned status)
{
    switch (answer->kind) {
    case ANSWER_STATUS:
        respond(connection, status, answer->number, 0);
        break;
    case ANSWER_BIG:
        respond(connection, status, 0, BIG_BYTES);
        break;
    case ANSWER_SLOW:
        respond_late(connection, answer->number);
        break;
    case ANSWER_HANG:
        connection->is_over = true;
        break;
    default:
        connection->is_over = true;
        hd_stream_close(connection->stream, 0);
    }
}

static void handle(struct connection *connection, const struct request *request)
{
    struct centre *centre = connection->centre;
    char why[256], peer[256];
    read_control(centre);
    json_t *body =
        json_loadb(request->body.len == 0 ? "" : (const char *)request->body.ptr,
                   request->body.len, JSON_REJECT_DUPLICATES, NULL);
    unsigned refusal = judge(centre, request, body, why);
    struct answer answer = {.kind = ANSWER_STATUS, .status = refusal};
    if (refusal == 0) {
        answer = answers_take(&centre->answers);
    }
    unsigned status = (unsigned)answer.status;
    bool answers_ok = status / 100 == 2 && answer.kind != ANSWER_RESET;
    const char *cn = hd_stream_peer_cn(connection->stream);
    (void)snprintf(peer, sizeof(peer), "%s%s%s", hd_stream_peer(connection->stream),
                   cn[0] == '\0' ? "" : " CN=", cn);
    const struct centre_alert alert = {
        .number = ++centre->n_requests,
        .status = answer.kind == ANSWER_RESET || answer.kind == ANSWER_DROP ||
                          answer.kind == ANSWER_HANG
                      ? 0
                      : status,
        .is_taken = refusal == 0 && answers_ok,
        .why = why,
        .peer = peer,
        .method = request->method,
        .target = request->target,
        .raw = request->body,
        .body = body,
    };
    if (centre->opts.on_alert != NULL) {
        centre->opts.on_alert(centre->opts.ctx, &alert);
    }
    json_decref(body);
    carry_out(connection, &answer, status);
}

static void connection_work(struct connection *connection)
{
    while (!connection->is_over && connection->delay == NULL) {
        struct request request;
        size_t used = 0;
        switch (request_parse(hd_buf_slice(&connection->in), &request, &used)) {
        case HD_PARSE_OK:
            handle(connection, &request);
            hd_buf_consume(&connection->in, used);
            if (request.is_close && !connection->is_over) {
                connection->is_over = true;
                hd_stream_close(connection->stream, 1000);
            }
            break;
        case HD_PARSE_MORE:
            return;
        case HD_PARSE_BAD:
            connection->is_over = true;
            respond(connection, 400, 0, 0);
            hd_stream_close(connection->stream, 1000);
            return;
        }
    }
}

/* ---- connections ---- */

static void on_open(void *ctx, struct hd_stream *stream)
{
    (void)ctx;
    (void)stream;
}

static void on_data(void *ctx, struct hd_slice data)
{
    struct connection *connection = ctx;
    hd_buf_slice_add(&connection->in, data);
    connection_work(connection);
}

static void on_close(void *ctx, int err, const char *why)
{
    struct connection *connection = ctx;
    struct centre *centre = connection->centre;
    if (err != HD_ECLOSED && getenv("CENTRE_DEBUG") != NULL) {
        (void)fprintf(stderr, "centre: connection ended: %s\n", why);
    }
    if (connection->delay != NULL) {
        uv_close((uv_handle_t *)connection->delay, delay_closed);
    }
    if (connection->prev != NULL) {
        connection->prev->next = connection->next;
    } else {
        centre->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->prev = connection->prev;
    }
    hd_buf_fini(&connection->in);
    free(connection);
    centre_try_free(centre);
}

static const struct hd_stream_ops stream_ops = {on_open, on_data, NULL, on_close};

static void on_connection(void *ctx, struct hd_listener *listener, uv_stream_t *server)
{
    struct centre *centre = ctx;
    struct connection *connection = calloc(1, sizeof(*connection));
    (void)listener;
    if (connection == NULL) {
        hd_listener_refuse(server);
        return;
    }
    connection->centre = centre;
    hd_buf_init(&connection->in, REQUEST_HEAD_MAX + REQUEST_BODY_MAX);
    const struct hd_stream_opts opts = {.ops = &stream_ops,
                                        .ctx = connection,
                                        .tls = centre->opts.tls,
                                        .idle_ms = 600000};
    if (hd_stream_accept(server, &opts, &connection->stream) != HD_OK) {
        hd_buf_fini(&connection->in);
        free(connection);
        return;
    }
    connection->next = centre->connections;
    if (connection->next != NULL) {
        connection->next->prev = connection;
    }
    centre->connections = connection;
}

/* ---- life ---- */

int centre_open(uv_loop_t *loop, const struct centre_opts *opts, struct centre **out,
                char why[256])
{
    struct centre *centre = calloc(1, sizeof(*centre));
    if (centre == NULL) {
        (void)snprintf(why, 256, "%s", hd_err_text(HD_ENOMEM));
        return HD_ENOMEM;
    }
    centre->opts = *opts;
    centre->loop = loop;
    const struct hd_listener_opts listen_opts = {
        .address = opts->listen, .on_connection = on_connection, .ctx = centre};
    int err = centre_answers(centre, opts->answers == NULL ? "200" : opts->answers);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "the answers are not understood: %.180s", opts->answers);
    } else {
        err = hd_listener_open(loop, &listen_opts, &centre->listener, why);
    }
    if (err != HD_OK) {
        free(centre);
        return err;
    }
    *out = centre;
    return HD_OK;
}

uint16_t centre_port(const struct centre *centre)
{
    return hd_listener_port(centre->listener);
}

void centre_close(struct centre *centre)
{
    hd_listener_close(centre->listener);
    centre->is_closing = true;
    for (struct connection *c = centre->connections; c != NULL; c = c->next) {
        hd_stream_close(c->stream, 0);
    }
    centre_try_free(centre);
}
