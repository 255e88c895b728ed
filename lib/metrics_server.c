/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves /metrics, /status and a path of the program's own. Connections live in slots
 * that are part of the server: a client costs no allocation but its answer, and there are
 * never more than SLOTS_N. Each has one deadline for everything; when all slots are taken
 * the oldest client gives way.
 * Thread: the loop's.
 *
 * One slot: FREE -> READING (head of the request) -> ANSWERING (write, shutdown, then
 * what still arrives is thrown away until the peer ends) -> CLOSING -> FREE.
 */
#include <haidang/metrics.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/metrics_http.h"
#include <haidang/fs.h>
#include <haidang/handed.h>
#include <haidang/inet.h>
#include <haidang/loop.h>

enum {
    SLOTS_N = 16,
    BACKLOG = 16,
    DEADLINE_MS = 5000,
    MODE_DEFAULT = 0660,
};

enum slot_state { SLOT_FREE, SLOT_READING, SLOT_ANSWERING, SLOT_CLOSING };

union stream {
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
};

struct slot {
    struct hd_metrics_server *server;
    struct hd_owner owner; /* of stream and timer */
    enum slot_state state;
    uint64_t order; /* when it was taken */
    union stream peer;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct hd_buf answer;
    size_t head_len;
    uint8_t head[HD_HTTP_HEAD_MAX];
};

struct hd_metrics_server {
    struct hd_owner owner; /* of the listener */
    struct hd_metrics_server_opts opts;
    uv_loop_t *loop;
    union stream listener;
    bool is_unix;
    bool is_listening; /* the listener's handle is not closed yet */
    bool is_closing;
    bool has_waiting; /* a connection that no slot was free for */
    unsigned taken;   /* slots that are not free */
    uint64_t orders;
    struct slot slot[SLOTS_N];
};

static void accept_waiting(struct hd_metrics_server *server);

static void free_when_done(struct hd_metrics_server *server)
{
    if (server->is_closing && !server->is_listening && server->taken == 0) {
        free(server);
    }
}

/* ---- one connection ---- */

static void slot_freed(void *ctx)
{
    struct slot *slot = ctx;
    struct hd_metrics_server *server = slot->server;
    hd_buf_fini(&slot->answer);
    slot->state = SLOT_FREE;
    server->taken--;
    accept_waiting(server);
    free_when_done(server);
}

static void slot_close(struct slot *slot)
{
    if (slot->state == SLOT_FREE || slot->state == SLOT_CLOSING) {
        return;
    }
    slot->state = SLOT_CLOSING;
    hd_owner_close(&slot->owner, (uv_handle_t *)&slot->peer);
    hd_owner_close(&slot->owner, (uv_handle_t *)&slot->timer);
    hd_owner_finish(&slot->owner);
}

static void deadline_passed(uv_timer_t *timer)
{
    slot_close(HD_CONTAINER(timer, struct slot, timer));
}

static void shut_down(uv_shutdown_t *req, int status)
{
    if (status != 0) {
        slot_close(HD_CONTAINER(req, struct slot, shutdown));
    }
}

static void written(uv_write_t *req, int status)
{
    struct slot *slot = HD_CONTAINER(req, struct slot, write);
    if (slot->state != SLOT_ANSWERING) {
        return;
    }
    /* closing with unread input would reset the connection and lose the answer */
    if (status != 0 || uv_shutdown(&slot->shutdown, &slot->peer.stream, shut_down) != 0) {
        slot_close(slot);
    }
}

static void send_answer(struct slot *slot, const char *status, const char *type,
                        struct hd_slice body)
{
    hd_buf_printf(&slot->answer,
                  "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                  "Allow: GET\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
                  status, type, body.len);
    hd_buf_slice_add(&slot->answer, body);
    slot->state = SLOT_ANSWERING;
    uv_buf_t buf = uv_buf_init((char *)slot->answer.ptr, (unsigned)slot->answer.len);
    if (slot->answer.err != 0 ||
        uv_write(&slot->write, &slot->peer.stream, &buf, 1, written) != 0) {
        slot_close(slot);
    }
}

static void refuse(struct slot *slot, const char *status)
{
    struct hd_slice body = hd_slice_str(status);
    send_answer(slot, status, "text/plain; charset=utf-8", body);
}

/* Who writes the JSON of a path; NULL: it has none. */
static void (*json_of(const struct hd_metrics_server_opts *opts,
                      struct hd_slice path))(void *ctx, struct hd_buf *out)
{
    if (hd_slice_eq(path, HD_SLICE("/status"))) {
        return opts->status;
    }
    const struct hd_metrics_page *page = opts->pages;
    while (page != NULL && page->path != NULL &&
           !hd_slice_eq(path, hd_slice_str(page->path))) {
        page++;
    }
    return page == NULL ? NULL : page->write;
}

static void serve(struct slot *slot, const struct hd_http_request *request)
{
    const struct hd_metrics_server_opts *opts = &slot->server->opts;
    void (*json)(void *, struct hd_buf *) = json_of(opts, request->path);
    struct hd_buf body;
    if (!hd_slice_eq(request->method, HD_SLICE("GET"))) {
        refuse(slot, "405 Method Not Allowed");
        return;
    }
    if (json == NULL && !hd_slice_eq(request->path, HD_SLICE("/metrics"))) {
        refuse(slot, "404 Not Found");
        return;
    }
    hd_buf_init(&body, 0);
    if (opts->refresh != NULL) {
        opts->refresh(opts->ctx);
    }
    if (json != NULL) {
        json(opts->ctx, &body);
    } else {
        hd_metrics_format(&body, opts->table, opts->table_len);
    }
    if (body.err != 0) {
        refuse(slot, "503 Service Unavailable");
    } else {
        send_answer(slot, "200 OK",
                    json != NULL ? "application/json"
                                 : "text/plain; version=0.0.4; charset=utf-8",
                    hd_buf_slice(&body));
    }
    hd_buf_fini(&body);
}

static void look_at_head(struct slot *slot)
{
    struct hd_http_request request;
    switch (hd_http_parse(hd_slice(slot->head, slot->head_len), &request)) {
    case HD_PARSE_OK:
        serve(slot, &request);
        break;
    case HD_PARSE_BAD:
        refuse(slot, "400 Bad Request");
        break;
    case HD_PARSE_MORE:
        if (slot->head_len == sizeof(slot->head)) {
            refuse(slot, "431 Request Header Fields Too Large");
        }
        break;
    }
}

/* While reading: the rest of the head. Afterwards the head is a place to throw input. */
static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct slot *slot = HD_CONTAINER(handle, struct slot, peer);
    (void)suggested;
    size_t from = slot->state == SLOT_READING ? slot->head_len : 0;
    *buf = uv_buf_init((char *)slot->head + from, (unsigned)(sizeof(slot->head) - from));
}

static void arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct slot *slot = HD_CONTAINER(stream, struct slot, peer);
    (void)buf;
    if (n < 0) {
        slot_close(slot);
    } else if (slot->state == SLOT_READING) {
        slot->head_len += (size_t)n;
        look_at_head(slot);
    }
}

static int slot_open(struct slot *slot)
{
    struct hd_metrics_server *server = slot->server;
    uint64_t deadline = server->opts.deadline_ms;
    slot->state = SLOT_READING;
    slot->order = server->orders++;
    slot->head_len = 0;
    hd_buf_init(&slot->answer, 0);
    hd_owner_init(&slot->owner, slot_freed, slot);
    server->taken++;
    (void)uv_timer_init(server->loop, &slot->timer);
    hd_owner_add(&slot->owner, (uv_handle_t *)&slot->timer);
    (void)(server->is_unix ? uv_pipe_init(server->loop, &slot->peer.pipe, 0)
                           : uv_tcp_init(server->loop, &slot->peer.tcp));
    hd_owner_add(&slot->owner, (uv_handle_t *)&slot->peer);
    int status = uv_accept(&server->listener.stream, &slot->peer.stream);
    if (status == 0) {
        status = uv_timer_start(&slot->timer, deadline_passed,
                                deadline == 0 ? DEADLINE_MS : deadline, 0);
    }
    return status != 0 ? status : uv_read_start(&slot->peer.stream, give_room, arrived);
}

/* ---- the listener ---- */

static struct slot *find_free(struct hd_metrics_server *server)
{
    for (size_t i = 0; i < SLOTS_N; i++) {
        if (server->slot[i].state == SLOT_FREE) {
            return &server->slot[i];
        }
    }
    return NULL;
}

static struct slot *find_oldest(struct hd_metrics_server *server)
{
    struct slot *oldest = &server->slot[0];
    for (size_t i = 1; i < SLOTS_N; i++) {
        if (server->slot[i].order < oldest->order) {
            oldest = &server->slot[i];
        }
    }
    return oldest;
}

/* A waiting connection stays with libuv, which listens no further, until a slot is free.
 */
static void accept_waiting(struct hd_metrics_server *server)
{
    if (!server->has_waiting || server->is_closing) {
        return;
    }
    struct slot *slot = find_free(server);
    if (slot == NULL) {
        slot_close(find_oldest(server));
        return;
    }
    server->has_waiting = false;
    if (slot_open(slot) != 0) {
        slot_close(slot);
    }
}

static void connection_came(uv_stream_t *listener, int status)
{
    struct hd_metrics_server *server =
        HD_CONTAINER(listener, struct hd_metrics_server, listener);
    if (status == 0) {
        server->has_waiting = true;
        accept_waiting(server);
    }
}

static void listener_freed(void *ctx)
{
    struct hd_metrics_server *server = ctx;
    server->is_listening = false;
    free_when_done(server);
}

void hd_metrics_server_close(struct hd_metrics_server *server)
{
    if (server == NULL || server->is_closing) {
        return;
    }
    server->is_closing = true;
    for (size_t i = 0; i < SLOTS_N; i++) {
        slot_close(&server->slot[i]);
    }
    hd_owner_close(&server->owner, (uv_handle_t *)&server->listener);
    hd_owner_finish(&server->owner);
}

/* ---- opening ---- */

/* A socket file that nobody answers on was left by a crash. HD_EBUSY: somebody does. */
static int remove_stale(const char *path)
{
    struct stat st;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? HD_OK : hd_err_from_errno(errno);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return HD_EEXIST;
    }
    memcpy(at.sun_path, path, strlen(path) + 1);
    HD_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return hd_err_from_errno(errno);
    }
    if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ||
        errno != ECONNREFUSED) {
        return HD_EBUSY;
    }
    return unlink(path) == 0 ? HD_OK : hd_err_from_errno(errno);
}

static int open_handed(int status, int fd)
{
    if (status != 0) {
        (void)close(fd);
    }
    return hd_err_from_uv(status);
}

static int bind_unix(struct hd_metrics_server *server, const char *path)
{
    struct sockaddr_un limit;
    if (path[0] == '\0' || strlen(path) >= sizeof(limit.sun_path)) {
        return HD_EPARSE;
    }
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, strlen(path) + 1);
    int fd = hd_handed_claim(SOCK_STREAM, (const struct sockaddr *)&at);
    if (fd >= 0) { /* its mode is that of whoever made it */
        return open_handed(uv_pipe_open(&server->listener.pipe, fd), fd);
    }
    int err = remove_stale(path);
    if (err != HD_OK) {
        return err;
    }
    int status = uv_pipe_bind(&server->listener.pipe, path);
    /* libuv says EACCES when the directory is missing; bind(2) does not */
    err = status == UV_EACCES && errno == ENOENT ? HD_ENOENT : hd_err_from_uv(status);
    unsigned mode =
        server->opts.socket_mode == 0 ? MODE_DEFAULT : server->opts.socket_mode;
    /* nobody can connect before it listens, so the mode is set in time */
    if (err == HD_OK && chmod(path, (mode_t)mode) != 0) {
        err = hd_err_from_errno(errno);
    }
    return err;
}

static int bind_tcp(struct hd_metrics_server *server, const char *listen)
{
    struct hd_hostport at;
    struct hd_ip ip;
    struct sockaddr_storage addr;
    int err = hd_hostport_parse(hd_slice_str(listen), &at);
    if (err != HD_OK) {
        return err;
    }
    const char *host = strcmp(at.host, "localhost") == 0 ? "127.0.0.1" : at.host;
    if (hd_ip_parse(hd_slice_str(host), &ip) != HD_OK || !hd_ip_is_loopback(&ip)) {
        return HD_EACCES;
    }
    int status = hd_ip_is_v4(&ip)
                     ? uv_ip4_addr(host, at.port, (struct sockaddr_in *)(void *)&addr)
                     : uv_ip6_addr(host, at.port, (struct sockaddr_in6 *)(void *)&addr);
    int fd = status != 0
                 ? -1
                 : hd_handed_claim(SOCK_STREAM, (const struct sockaddr *)(void *)&addr);
    if (fd >= 0) {
        return open_handed(uv_tcp_open(&server->listener.tcp, fd), fd);
    }
    if (status == 0) {
        status =
            uv_tcp_bind(&server->listener.tcp, (const struct sockaddr *)(void *)&addr, 0);
    }
    return hd_err_from_uv(status);
}

int hd_metrics_serve(uv_loop_t *loop, const struct hd_metrics_server_opts *opts,
                     struct hd_metrics_server **out)
{
    static const char prefix[] = "unix:";
    struct hd_metrics_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return HD_ENOMEM;
    }
    server->opts = *opts;
    server->loop = loop;
    server->is_unix = hd_slice_starts(hd_slice_str(opts->listen), hd_slice_str(prefix));
    for (size_t i = 0; i < SLOTS_N; i++) {
        server->slot[i].server = server;
    }
    hd_owner_init(&server->owner, listener_freed, server);
    (void)(server->is_unix ? uv_pipe_init(loop, &server->listener.pipe, 0)
                           : uv_tcp_init(loop, &server->listener.tcp));
    hd_owner_add(&server->owner, (uv_handle_t *)&server->listener);
    server->is_listening = true;
    int err = server->is_unix ? bind_unix(server, opts->listen + strlen(prefix))
                              : bind_tcp(server, opts->listen);
    if (err == HD_OK) {
        err =
            hd_err_from_uv(uv_listen(&server->listener.stream, BACKLOG, connection_came));
    }
    if (err != HD_OK) {
        hd_metrics_server_close(server);
        return err;
    }
    *out = server;
    return HD_OK;
}

uint16_t hd_metrics_server_port(const struct hd_metrics_server *server)
{
    struct sockaddr_storage addr = {0};
    struct hd_ip ip;
    uint16_t port = 0;
    int len = sizeof(addr);
    if (server->is_unix ||
        uv_tcp_getsockname(&server->listener.tcp, (struct sockaddr *)(void *)&addr,
                           &len) != 0 ||
        hd_sockaddr_ip((const struct sockaddr *)(const void *)&addr, &ip, &port) !=
            HD_OK) {
        return 0;
    }
    return port;
}
