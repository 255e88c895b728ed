/* SPDX-License-Identifier: Apache-2.0
 *
 * Source `syslog-udp`: one datagram is one line (RFC 5426). Own sockets under uv_poll
 * with recvmmsg: libuv's own would hold 1.25 MiB of buffers for each listener. An address
 * without a host opens one IPv6 socket for both families.
 *
 * Loss is data: datagrams that the kernel dropped for want of buffer are read back
 * (SO_MEMINFO) and counted, as are those taken while the sink was full.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/handed.h>
#include <haidang/inet.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "collector/conf.h"
#include "collector/metrics.h"
#include "collector/source/framer.h"
#include "collector/source/source.h"
#include "collector/source/zone.h"

#define SLOTS         16U
#define SLOT_LEN      (COL_SCRATCH_LEN / SLOTS) /* 64 KiB: no datagram is longer */
#define ROUNDS        16U /* of recvmmsg before other handles have their turn */
#define COALESCE_MS   10U
#define PAUSED_MS     1000U
#define COALESCE_MIN  (1U << 20) /* socket buffer that bridges COALESCE_MS safely */
#define LAST_ROUNDS   4096U      /* at the end: more than a socket buffer holds */

#define DROPS_KEY_MAX 80U

struct udp_source {
    struct col_source base;
    struct hd_owner owner;
    const struct col_source_env *env;
    struct hd_batch_source source;
    int fd;
    bool is_handed; /* the socket lives on when the agent ends */
    uint64_t buffer;
    uv_poll_t poll;
    uv_timer_t coalesce;
    bool is_paused;
    struct hd_ip peer; /* of the last datagram, and its text */
    char peer_text[HD_IP_TEXT_MAX];
    uint32_t kernel_drops;     /* as read last */
    struct hd_slice drops_key; /* of the mark that keeps it; empty: the socket is ours */
    char drops_key_text[DROPS_KEY_MAX];
    struct col_source_stats stats;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static struct udp_source *from_base(struct col_source *source)
{
    return HD_CONTAINER(source, struct udp_source, base);
}

/* ---- receiving ---- */

/* Of all senders together: the kernel does not say whose they were. */
static void tell_lost(const struct udp_source *us, enum hd_loss_kind kind, uint64_t count,
                      uint64_t bytes)
{
    const struct col_sink *sink = us->env->sink;
    sink->lost(sink->ctx, &us->source, kind, count, bytes);
}

/* A socket that was handed over counts on when the agent is exchanged. What the agent
 * before has reported travels with the lines, under the socket's number. */
static void keep_drops(const struct udp_source *us)
{
    const struct col_sink *sink = us->env->sink;
    if (us->drops_key.len > 0) {
        sink->mark(sink->ctx, us->drops_key,
                   hd_slice(&us->kernel_drops, sizeof(us->kernel_drops)));
    }
}

static void resume_drops(struct udp_source *us)
{
    const struct col_sink *sink = us->env->sink;
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    struct hd_buf boot;
    hd_buf_init(&boot, DROPS_KEY_MAX / 2);
    /* numbers of sockets are unique until the machine starts again */
    if (getsockopt(us->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 &&
        hd_fs_read("/proc/sys/kernel/random/boot_id", DROPS_KEY_MAX / 2 - 1, &boot) ==
            HD_OK) {
        struct hd_slice id = hd_slice_trim(hd_buf_slice(&boot));
        int n =
            snprintf(us->drops_key_text, sizeof(us->drops_key_text),
                     "udp %" PRIu64 " %.*s", cookie, (int)id.len, (const char *)id.ptr);
        us->drops_key = hd_slice(us->drops_key_text, (size_t)n);
        struct hd_slice mark = sink->last_mark(sink->ctx, us->drops_key);
        if (mark.len == sizeof(us->kernel_drops)) {
            memcpy(&us->kernel_drops, mark.ptr, sizeof(us->kernel_drops));
        }
    }
    hd_buf_fini(&boot);
}

static void read_kernel_drops(struct udp_source *us)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(us->fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0 ||
        len <= SK_MEMINFO_DROPS * sizeof(info[0])) {
        return;
    }
    uint32_t new_drops = info[SK_MEMINFO_DROPS] - us->kernel_drops;
    us->kernel_drops = info[SK_MEMINFO_DROPS];
    if (new_drops > 0) {
        us->stats.dropped += new_drops;
        COL_COUNT(COL_DROPPED, new_drops);
        COL_COUNT(COL_KERNEL_DROPS, new_drops);
        tell_lost(us, us->is_paused ? HD_LOSS_SPOOL_FULL : HD_LOSS_KERNEL_DROPS,
                  new_drops, 0);
        keep_drops(us);
        HD_LOG(WARN, "udp", "datagrams were lost: the socket buffer was full",
               HD_KV_STR("listener", us->base.name), HD_KV_UINT("lost", new_drops));
    }
}

static void set_peer(struct udp_source *us, const struct sockaddr *addr)
{
    struct hd_ip ip;
    uint16_t port;
    if (hd_sockaddr_ip(addr, &ip, &port) != HD_OK) {
        us->source.peer = HD_SLICE_EMPTY;
        us->source.host = HD_SLICE("unknown");
        return;
    }
    if (us->source.peer.len == 0 || !hd_ip_eq(&ip, &us->peer)) {
        us->peer = ip;
        us->source.peer = hd_slice(us->peer_text, hd_ip_format(&ip, us->peer_text));
        us->source.host = us->source.peer;
    }
}

static void take(struct udp_source *us, struct hd_slice datagram, int64_t now_ns)
{
    const struct col_sink *sink = us->env->sink;
    struct hd_slice line = col_frame_trim(datagram);
    unsigned flags = 0;
    if (line.len == 0) {
        return;
    }
    if (line.len > us->env->line_max) {
        COL_COUNT(COL_SKIPPED_BYTES, line.len - us->env->line_max);
        line = hd_slice_head(line, us->env->line_max);
        flags = HD_BATCH_TRUNCATED;
    }
    if (sink->add(sink->ctx, &us->source, now_ns, flags, line) != HD_OK) {
        us->stats.dropped++;
        COL_COUNT(COL_DROPPED, 1);
        tell_lost(us, HD_LOSS_SPOOL_FULL, 1, line.len);
        return;
    }
    us->stats.lines++;
    us->stats.bytes += line.len;
    us->stats.truncated += flags != 0;
}

/* One recvmmsg; how many datagrams it brought. */
static unsigned receive(struct udp_source *us)
{
    struct mmsghdr msgs[SLOTS];
    struct iovec iov[SLOTS];
    struct sockaddr_storage from[SLOTS];
    memset(msgs, 0, sizeof(msgs));
    for (unsigned i = 0; i < SLOTS; i++) {
        iov[i] = (struct iovec){us->env->scratch + i * SLOT_LEN, SLOT_LEN};
        msgs[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                          .msg_namelen = sizeof(from[i]),
                                          .msg_iov = &iov[i],
                                          .msg_iovlen = 1};
    }
    int n = recvmmsg(us->fd, msgs, SLOTS, MSG_DONTWAIT, NULL);
    int64_t now_ns = hd_clock_wall_ns();
    for (int i = 0; i < n; i++) {
        set_peer(us, (const struct sockaddr *)&from[i]);
        take(us, hd_slice(us->env->scratch + (size_t)i * SLOT_LEN, msgs[i].msg_len),
             now_ns);
    }
    return n < 0 ? 0 : (unsigned)n;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void start_reading(struct udp_source *us)
{
    if (!us->is_paused) {
        (void)uv_poll_start(&us->poll, UV_READABLE, on_readable);
    }
}

static void on_coalesced(uv_timer_t *timer)
{
    start_reading(HD_CONTAINER(timer, struct udp_source, coalesce));
}

/* After a quiet round the socket rests: a slow stream of datagrams is taken in handfuls
 * instead of one wake-up each. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp_source *us = HD_CONTAINER(poll, struct udp_source, poll);
    unsigned got = SLOTS;
    unsigned rounds = 0;
    (void)status;
    (void)events;
    for (; rounds < ROUNDS && got == SLOTS && !us->is_paused; rounds++) {
        got = receive(us);
    }
    read_kernel_drops(us);
    if (rounds < ROUNDS / 4 && us->buffer >= COALESCE_MIN && !us->is_paused) {
        (void)uv_poll_stop(&us->poll);
        (void)uv_timer_start(&us->coalesce, on_coalesced, COALESCE_MS, 0);
    }
}

/* ---- ops ---- */

static void on_paused(uv_timer_t *timer)
{
    read_kernel_drops(HD_CONTAINER(timer, struct udp_source, coalesce));
}

/* What the kernel drops meanwhile is counted as it happens, not when reading goes on. */
static void udp_pause(struct col_source *source)
{
    struct udp_source *us = from_base(source);
    us->is_paused = true;
    (void)uv_poll_stop(&us->poll);
    (void)uv_timer_start(&us->coalesce, on_paused, PAUSED_MS, PAUSED_MS);
}

static void udp_resume(struct col_source *source)
{
    struct udp_source *us = from_base(source);
    read_kernel_drops(us); /* because of the pause */
    us->is_paused = false;
    (void)uv_timer_stop(&us->coalesce);
    start_reading(us);
}

static void udp_stats(const struct col_source *source, struct col_source_stats *out)
{
    const struct udp_source *us = HD_CONTAINER(source, const struct udp_source, base);
    *out = us->stats;
    out->state = us->is_paused ? "paused" : "open";
}

static void udp_freed(void *ctx)
{
    struct udp_source *us = ctx;
    void (*closed)(void *) = us->closed;
    void *closed_ctx = us->closed_ctx;
    if (us->fd >= 0) {
        (void)close(us->fd);
    }
    free(us->base.name);
    free(us);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void udp_close(struct col_source *source, void (*closed)(void *ctx), void *ctx)
{
    struct udp_source *us = from_base(source);
    us->closed = closed;
    us->closed_ctx = ctx;
    /* What the kernel already has is still ours, or is counted as refused; that of a
     * socket which stays is the next agent's. */
    unsigned got = us->is_handed ? 0 : SLOTS;
    for (unsigned i = 0; i < LAST_ROUNDS && got == SLOTS; i++) {
        got = receive(us);
    }
    read_kernel_drops(us);
    hd_owner_close(&us->owner, (uv_handle_t *)&us->poll);
    hd_owner_close(&us->owner, (uv_handle_t *)&us->coalesce);
    hd_owner_finish(&us->owner);
}

static const struct col_source_ops udp_ops = {.kind = "syslog-udp",
                                              .pause = udp_pause,
                                              .resume = udp_resume,
                                              .stats = udp_stats,
                                              .close = udp_close};

/* ---- open ---- */

static uint64_t buffer_of(int fd)
{
    int bytes = 0;
    socklen_t len = sizeof(bytes);
    (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len);
    return (uint64_t)bytes / 2; /* the kernel reports twice what it was told */
}

static void warn_of_buffer(const struct udp_source *us, uint64_t wanted)
{
    HD_LOG(WARN, "udp",
           us->is_handed
               ? "the socket buffer is smaller than receive_buffer; bursts may be lost: "
                 "set ReceiveBuffer= in the socket unit"
               : "the socket buffer is smaller than receive_buffer; bursts may be lost: "
                 "grant CAP_NET_ADMIN, or set sysctl net.core.rmem_max to what is wanted",
           HD_KV_STR("listener", us->base.name), HD_KV_UINT("wanted", wanted),
           HD_KV_UINT("got", us->buffer));
}

/* As large as asked where privileges allow, else what net.core.rmem_max allows. That of a
 * socket which was handed over may be larger than that, so it is never made smaller. */
static void set_buffer(struct udp_source *us, uint64_t want)
{
    int bytes = want > INT32_MAX / 2 ? INT32_MAX / 2 : (int)want;
    us->buffer = buffer_of(us->fd);
    bool is_enough = us->is_handed && us->buffer >= (uint64_t)bytes;
    if (!is_enough &&
        setsockopt(us->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 &&
        !us->is_handed) {
        (void)setsockopt(us->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    us->buffer = buffer_of(us->fd);
    if (us->buffer < (uint64_t)bytes) {
        warn_of_buffer(us, (uint64_t)bytes);
    }
}

static int bind_one(struct udp_source *us, const struct addrinfo *at)
{
    int off = 0;
    us->fd = hd_handed_claim(SOCK_DGRAM, at->ai_addr);
    us->is_handed = us->fd >= 0;
    if (us->is_handed) {
        return HD_OK;
    }
    us->fd = socket(at->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (us->fd < 0) {
        return hd_err_from_errno(errno);
    }
    if (at->ai_family == AF_INET6) {
        (void)setsockopt(us->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(us->fd, at->ai_addr, at->ai_addrlen) != 0) {
        int err = errno == EADDRINUSE || errno == EADDRNOTAVAIL
                      ? HD_EBUSY
                      : hd_err_from_errno(errno);
        (void)close(us->fd);
        us->fd = -1;
        return err;
    }
    return HD_OK;
}

/* All addresses: of both families, or, on a machine without IPv6 or with such a socket
 * handed over, those of IPv4. */
static int bind_any(struct udp_source *us, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct addrinfo at_v6 = {.ai_family = AF_INET6,
                                   .ai_addr = (struct sockaddr *)&v6,
                                   .ai_addrlen = sizeof(v6)};
    const struct addrinfo at_v4 = {.ai_family = AF_INET,
                                   .ai_addr = (struct sockaddr *)&v4,
                                   .ai_addrlen = sizeof(v4)};
    if (hd_handed_has(SOCK_DGRAM, (const struct sockaddr *)&v4)) {
        return bind_one(us, &at_v4);
    }
    int err = bind_one(us, &at_v6);
    return err != HD_OK && err != HD_EBUSY ? bind_one(us, &at_v4) : err;
}

static int bind_host(struct udp_source *us, const struct hd_hostport *at)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                                   .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)at->port);
    if (getaddrinfo(at->host, port, &hints, &found) != 0) {
        return HD_EINVAL;
    }
    int err = bind_one(us, found);
    freeaddrinfo(found);
    return err;
}

static int bind_socket(struct udp_source *us, const char *listen, char why[256])
{
    struct hd_hostport at;
    int err = hd_hostport_parse(hd_slice_str(listen), &at);
    if (err == HD_OK) {
        err = at.host[0] == '\0' ? bind_any(us, at.port) : bind_host(us, &at);
    }
    if (err != HD_OK) {
        (void)snprintf(why, 256, "udp %.100s: %s", listen, hd_err_text(err));
    }
    return err;
}

int col_udp_open(const struct col_source_env *env, const struct col_conf_source *conf,
                 struct col_source **out, char why[256])
{
    struct udp_source *us = calloc(1, sizeof(*us));
    if (us == NULL) {
        return HD_ENOMEM;
    }
    us->base.ops = &udp_ops;
    us->fd = -1;
    us->env = env;
    const char *name = conf->name != NULL && conf->name[0] ? conf->name : conf->listen;
    us->base.name = strdup(name);
    hd_owner_init(&us->owner, udp_freed, us);
    int err = us->base.name == NULL ? HD_ENOMEM : bind_socket(us, conf->listen, why);
    if (err != HD_OK) {
        hd_owner_finish(&us->owner);
        return err;
    }
    us->source = (struct hd_batch_source){.kind = HD_SLICE("syslog-udp"),
                                          .name = hd_slice_str(us->base.name),
                                          .format = hd_slice_str(conf->format),
                                          .zone = col_zone_of(conf, env)};
    set_buffer(us, conf->receive_buffer);
    if (us->is_handed) {
        resume_drops(us);
    }
    (void)uv_poll_init(env->loop, &us->poll, us->fd);
    hd_owner_add(&us->owner, (uv_handle_t *)&us->poll);
    (void)uv_timer_init(env->loop, &us->coalesce);
    hd_owner_add(&us->owner, (uv_handle_t *)&us->coalesce);
    start_reading(us);
    *out = &us->base;
    return HD_OK;
}
