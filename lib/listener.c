/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening for connections, IPv4 and IPv6. An empty host listens on all addresses of
 * both families. A socket that was handed over is used instead of a new one. Belongs to
 * its loop's thread.
 */
#include <haidang/stream.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/handed.h>
#include <haidang/inet.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#define BACKLOG        511
#define BACKLOG_HANDED 65535 /* who waits while the program is exchanged */

struct hd_listener {
    struct hd_owner owner;
    uv_tcp_t tcp;
    uv_tcp_t spare; /* takes what is refused when there is no memory */
    bool is_spare_open;
    bool is_owing; /* a connection waits for the spare handle */
    void (*on_connection)(void *ctx, struct hd_listener *listener, uv_stream_t *server);
    void *ctx;
};

static void listener_freed(void *ctx)
{
    free(ctx);
}

/* ---- refusing ---- */

static void refused(uv_handle_t *handle)
{
    free(handle);
}

/* libuv offers no further connection while one waits, so it must go without memory, too:
 * one at a time through a handle of our own. */
static void refuse_with_spare(struct hd_listener *listener)
{
    listener->is_owing = listener->is_spare_open;
    if (listener->is_owing) {
        return;
    }
    uv_tcp_t *spare = &listener->spare;
    (void)uv_tcp_init(listener->tcp.loop, spare);
    hd_owner_add(&listener->owner, (uv_handle_t *)spare);
    listener->is_spare_open = true;
    (void)uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)spare);
    hd_owner_close(&listener->owner, (uv_handle_t *)spare);
}

static void handle_closed(void *ctx, uv_handle_t *handle)
{
    struct hd_listener *listener = ctx;
    if (handle != (uv_handle_t *)&listener->spare) {
        return;
    }
    listener->is_spare_open = false;
    if (listener->is_owing && !uv_is_closing((uv_handle_t *)&listener->tcp)) {
        refuse_with_spare(listener);
    }
}

void hd_listener_refuse(uv_stream_t *server)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));
    if (tcp == NULL) {
        refuse_with_spare(HD_CONTAINER((uv_tcp_t *)server, struct hd_listener, tcp));
        return;
    }
    (void)uv_tcp_init(server->loop, tcp);
    (void)uv_accept(server, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, refused);
}

/* ---- listening ---- */

static void connection_waits(uv_stream_t *server, int status)
{
    struct hd_listener *listener =
        HD_CONTAINER((uv_tcp_t *)server, struct hd_listener, tcp);
    if (status != 0) {
        HD_LOG(WARN, "listener", "a connection could not be accepted",
               HD_KV_STR("why", uv_strerror(status)));
        return;
    }
    listener->on_connection(listener->ctx, listener, server);
}

static int listen_error(int status, const char *address, char *why)
{
    (void)snprintf(why, 256, "cannot listen on %.180s: %s", address, uv_strerror(status));
    switch (status) {
    case UV_EADDRINUSE:
        return HD_EBUSY;
    case UV_EACCES:
    case UV_EPERM:
        return HD_EACCES;
    case UV_ENOMEM:
    case UV_EAI_MEMORY:
        return HD_ENOMEM;
    default:
        return HD_EINVAL;
    }
}

/* Start-up only: a name is resolved in place. */
static int resolve(uv_loop_t *loop, const struct hd_hostport *target,
                   struct sockaddr_storage *out)
{
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", target->port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    uv_getaddrinfo_t req;
    int status = uv_getaddrinfo(loop, &req, NULL, target->host, service, &hints);
    if (status == 0) {
        memcpy(out, req.addrinfo->ai_addr, req.addrinfo->ai_addrlen);
        uv_freeaddrinfo(req.addrinfo);
    }
    return status;
}

/* Takes the socket of this address that was handed over, or makes one. */
static int listener_bind(struct hd_listener *listener, const struct sockaddr *addr,
                         int *backlog)
{
    int fd = hd_handed_claim(SOCK_STREAM, addr);
    if (fd < 0) {
        return uv_tcp_bind(&listener->tcp, addr, 0);
    }
    int status = uv_tcp_open(&listener->tcp, fd);
    if (status != 0) {
        (void)close(fd);
    }
    *backlog = BACKLOG_HANDED;
    return status;
}

/* own: *out on 0; else a libuv status. */
static int listener_try(uv_loop_t *loop, const struct hd_listener_opts *opts,
                        const struct sockaddr_storage *addr, struct hd_listener **out)
{
    struct hd_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return UV_ENOMEM;
    }
    listener->on_connection = opts->on_connection;
    listener->ctx = opts->ctx;
    hd_owner_init(&listener->owner, listener_freed, listener);
    listener->owner.handle_closed = handle_closed;
    (void)uv_tcp_init(loop, &listener->tcp);
    hd_owner_add(&listener->owner, (uv_handle_t *)&listener->tcp);
    int backlog = opts->backlog > 0 ? opts->backlog : BACKLOG;
    int status = listener_bind(listener, (const struct sockaddr *)addr, &backlog);
    if (status == 0) {
        status = uv_listen((uv_stream_t *)&listener->tcp, backlog, connection_waits);
    }
    if (status != 0) {
        hd_listener_close(listener);
        return status;
    }
    *out = listener;
    return 0;
}

static int listen_on_all(uv_loop_t *loop, const struct hd_listener_opts *opts,
                         uint16_t port, struct hd_listener **out)
{
    struct sockaddr_storage v6 = {0}, v4 = {0};
    (void)uv_ip6_addr("::", port, (struct sockaddr_in6 *)&v6);
    (void)uv_ip4_addr("0.0.0.0", port, (struct sockaddr_in *)&v4);
    if (hd_handed_has(SOCK_STREAM, (const struct sockaddr *)&v4)) {
        return listener_try(loop, opts, &v4, out);
    }
    int status = listener_try(loop, opts, &v6, out);
    if (status == UV_EAFNOSUPPORT || status == UV_EADDRNOTAVAIL || status == UV_EINVAL) {
        /* a machine without IPv6 */
        status = listener_try(loop, opts, &v4, out);
    }
    return status;
}

int hd_listener_open(uv_loop_t *loop, const struct hd_listener_opts *opts,
                     struct hd_listener **out, char why[256])
{
    struct hd_hostport target;
    if (hd_hostport_parse(hd_slice_str(opts->address), &target) != HD_OK) {
        (void)snprintf(why, 256, "%.180s is no address to listen on (host:port)",
                       opts->address);
        return HD_EINVAL;
    }
    int status;
    if (target.host[0] == '\0') {
        status = listen_on_all(loop, opts, target.port, out);
    } else {
        struct sockaddr_storage addr = {0};
        status = resolve(loop, &target, &addr);
        if (status == 0) {
            status = listener_try(loop, opts, &addr, out);
        }
    }
    return status == 0 ? HD_OK : listen_error(status, opts->address, why);
}

uint16_t hd_listener_port(const struct hd_listener *listener)
{
    struct sockaddr_storage addr;
    int len = sizeof(addr);
    struct hd_ip ip;
    uint16_t port = 0;
    if (uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&addr, &len) != 0 ||
        hd_sockaddr_ip((const struct sockaddr *)&addr, &ip, &port) != HD_OK) {
        return 0;
    }
    return port;
}

void hd_listener_close(struct hd_listener *listener)
{
    if (listener != NULL) {
        hd_owner_close(&listener->owner, (uv_handle_t *)&listener->tcp);
    }
}
