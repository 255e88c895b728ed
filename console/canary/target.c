/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways in: a datagram, a connection (plain or TLS, octet-counted as of RFC 6587 and
 * RFC 5425), a line at the end of a file, a line in a pipe.
 */
#include "console/canary/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/alert.h>
#include <haidang/inet.h>
#include <haidang/stream.h>

#include "console/ask.h"

#define DATAGRAM_MAX 65000U
#define CONNECT_MS   10000U
#define LINGER_MS    2000U

static int fail(struct con_canary_target *t, const char *what, int err)
{
    (void)snprintf(t->why, sizeof(t->why), "%s: %s", what, hd_err_text(err));
    t->is_ready = false;
    return err;
}

/* ---- UDP ---- */

static int connect_datagrams(const struct hd_hostport *at, int *fd)
{
    char port[8];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    (void)snprintf(port, sizeof(port), "%u", at->port);
    if (getaddrinfo(at->host, port, &hints, &found) != 0) {
        return HD_ENOENT;
    }
    int err = HD_ECONN;
    for (const struct addrinfo *a = found; a != NULL && err != HD_OK; a = a->ai_next) {
        *fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        err = *fd >= 0 && connect(*fd, a->ai_addr, a->ai_addrlen) == 0
                  ? HD_OK
                  : hd_err_from_errno(errno);
        if (err != HD_OK && *fd >= 0) {
            (void)close(*fd);
            *fd = -1;
        }
    }
    freeaddrinfo(found);
    return err;
}

static void open_udp(struct con_canary_target *t, uv_loop_t *loop)
{
    struct hd_hostport at;
    (void)loop;
    int err = hd_hostport_parse(hd_slice_str(t->where), &at);
    err = err != HD_OK ? err : connect_datagrams(&at, &t->fd);
    t->is_ready = err == HD_OK;
    if (err != HD_OK) {
        (void)fail(t, "cannot be reached", err);
    }
}

static int send_udp(struct con_canary_target *t, struct hd_slice line)
{
    if (line.len > DATAGRAM_MAX) {
        return HD_ELIMIT;
    }
    return send(t->fd, line.ptr, line.len, MSG_NOSIGNAL) == (ssize_t)line.len
               ? HD_OK
               : fail(t, "a datagram was not sent", hd_err_from_errno(errno));
}

static void close_fd(struct con_canary_target *t)
{
    if (t->fd >= 0) {
        (void)close(t->fd);
        t->fd = -1;
    }
}

/* ---- a file ---- */

static void open_file(struct con_canary_target *t, uv_loop_t *loop)
{
    (void)loop;
    /* without O_CREAT: nobody reads a file that a slip of the pen has made */
    t->fd = open(t->where, O_WRONLY | O_APPEND | O_CLOEXEC);
    t->is_ready = t->fd >= 0;
    if (t->fd < 0) {
        (void)fail(t, "cannot be opened", hd_err_from_errno(errno));
    }
}

static int write_line(struct con_canary_target *t, struct hd_slice line)
{
    struct hd_buf whole;
    hd_buf_init(&whole, 0);
    hd_buf_slice_add(&whole, line);
    hd_buf_byte(&whole, '\n');
    int err = whole.err;
    if (err == HD_OK && write(t->fd, whole.ptr, whole.len) != (ssize_t)whole.len) {
        err = hd_err_from_errno(errno);
    }
    hd_buf_fini(&whole);
    return err;
}

static int send_file(struct con_canary_target *t, struct hd_slice line)
{
    int err = write_line(t, line);
    return err == HD_OK ? HD_OK : fail(t, "a line was not written", err);
}

/* ---- the pipe that is an agent's standard input ---- */

static void open_pipe(struct con_canary_target *t, uv_loop_t *loop)
{
    struct stat st;
    (void)loop;
    /* without O_NONBLOCK a pipe that nobody reads would hold us for ever */
    t->fd = open(t->where, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    t->is_ready = t->fd >= 0 && fstat(t->fd, &st) == 0 && S_ISFIFO(st.st_mode);
    if (t->fd < 0) {
        (void)fail(t, errno == ENXIO ? "nobody reads it" : "cannot be opened",
                   hd_err_from_errno(errno));
    } else if (!t->is_ready) {
        (void)fail(t, "it is no pipe", HD_EINVAL);
    }
}

/* In one piece or not at all, so that no line of others is cut. */
static int send_pipe(struct con_canary_target *t, struct hd_slice line)
{
    int err = line.len < PIPE_BUF ? write_line(t, line) : HD_ELIMIT;
    return err == HD_OK || err == HD_EAGAIN || err == HD_ELIMIT
               ? err
               : fail(t, "a line was not written", err);
}

/* ---- TCP and TLS ---- */

static void on_open(void *ctx, struct hd_stream *stream)
{
    struct con_canary_target *t = ctx;
    (void)stream;
    t->is_ready = true;
    t->on_ready(t->ctx);
}

static void on_data(void *ctx, struct hd_slice data)
{
    (void)ctx;
    (void)data; /* syslog has no answers */
}

static void on_drain(void *ctx)
{
    struct con_canary_target *t = ctx;
    t->on_ready(t->ctx);
}

static void on_close(void *ctx, int err, const char *why)
{
    struct con_canary_target *t = ctx;
    (void)err;
    t->stream = NULL;
    t->is_ready = false;
    if (t->why[0] == '\0') {
        (void)snprintf(t->why, sizeof(t->why), "the connection ended: %.200s", why);
    }
    t->on_ready(t->ctx);
}

static void open_stream(struct con_canary_target *t, uv_loop_t *loop)
{
    static const struct hd_stream_ops ops = {on_open, on_data, on_drain, on_close};
    const struct hd_stream_opts opts = {
        .ops = &ops, .ctx = t, .tls = t->tls, .handshake_ms = CONNECT_MS};
    struct hd_hostport at;
    int err = hd_hostport_parse(hd_slice_str(t->where), &at);
    err =
        err != HD_OK ? err : hd_stream_connect(loop, at.host, at.port, &opts, &t->stream);
    if (err != HD_OK) {
        (void)fail(t, "cannot be reached", err);
    }
}

static int send_stream(struct con_canary_target *t, struct hd_slice line)
{
    struct hd_buf frame;
    hd_buf_init(&frame, 0);
    hd_buf_u64(&frame, line.len);
    hd_buf_byte(&frame, ' ');
    hd_buf_slice_add(&frame, line);
    int err = frame.err;
    if (err == HD_OK) {
        err = t->stream == NULL ? HD_ECLOSED
                                : hd_stream_write(t->stream, hd_buf_slice(&frame));
    }
    hd_buf_fini(&frame);
    return err == HD_EFULL ? HD_EAGAIN : err;
}

static void close_stream(struct con_canary_target *t)
{
    if (t->stream != NULL) {
        (void)snprintf(t->why, sizeof(t->why), "closed");
        hd_stream_close(t->stream, LINGER_MS);
    }
}

/* ---- what the command line names ---- */

static const struct con_canary_target_ops udp_ops = {open_udp, send_udp, close_fd};
static const struct con_canary_target_ops file_ops = {open_file, send_file, close_fd};
static const struct con_canary_target_ops pipe_ops = {open_pipe, send_pipe, close_fd};
static const struct con_canary_target_ops stream_ops = {open_stream, send_stream,
                                                        close_stream};
static const struct con_canary_target_ops *const ops_of[HD_CANARY_CLASSES] = {
    [HD_CANARY_UDP] = &udp_ops,
    [HD_CANARY_TCP] = &stream_ops,
    [HD_CANARY_TLS] = &stream_ops,
    [HD_CANARY_FILE] = &file_ops,
    [HD_CANARY_STDIN] = &pipe_ops};

static int load_tls(const struct con_args *args, struct con_canary_targets *out)
{
    char why[256];
    const struct hd_tls_opts opts = {.role = HD_TLS_CLIENT,
                                     .ca_file = con_args_value(args, "ca"),
                                     .cert_file = con_args_value(args, "cert"),
                                     .key_file = con_args_value(args, "cert-key")};
    return hd_tls_new(&opts, &out->tls, why) == HD_OK
               ? HD_EXIT_OK
               : con_fail(HD_EXIT_CERT, "--tls: %s", why);
}

static int add(struct con_canary_targets *out, enum hd_canary_class class,
               const char *where)
{
    struct hd_hostport at;
    bool is_path = class == HD_CANARY_FILE || class == HD_CANARY_STDIN;
    if (!is_path &&
        (hd_hostport_parse(hd_slice_str(where), &at) != HD_OK || at.host[0] == '\0')) {
        return con_fail(HD_EXIT_USAGE, "--%s is HOST:PORT, not '%s'",
                        hd_canary_class_name(class), where);
    }
    out->list[out->n++] =
        (struct con_canary_target){.ops = ops_of[class],
                                   .class = class,
                                   .where = where,
                                   .fd = -1,
                                   .tls = class == HD_CANARY_TLS ? out->tls : NULL};
    return HD_EXIT_OK;
}

static int add_all(const struct con_args *args, struct con_canary_targets *out)
{
    int code = HD_EXIT_OK;
    for (unsigned class = 0; class < HD_CANARY_CLASSES; class ++) {
        const char *where;
        size_t at = 0;
        const char *name = hd_canary_class_name((enum hd_canary_class) class);
        while (code == HD_EXIT_OK && (where = con_args_next(args, name, &at)) != NULL) {
            code = add(out, (enum hd_canary_class) class, where);
        }
    }
    return code;
}

/* ---- what the agent on this machine listens to ---- */

/* "0.0.0.0:514", ":514", "[::]:514" -> an address at which that can be reached from here.
 * False: the listener has another name, or port 0. */
static bool reach(const char *listener, char where[CON_CANARY_WHERE_MAX])
{
    struct hd_hostport at;
    if (hd_hostport_parse(hd_slice_str(listener), &at) != HD_OK || at.port == 0) {
        return false;
    }
    bool is_any = at.host[0] == '\0' || strcmp(at.host, "0.0.0.0") == 0;
    const char *host = is_any                       ? "127.0.0.1"
                       : strcmp(at.host, "::") == 0 ? "::1"
                                                    : at.host;
    (void)snprintf(where, CON_CANARY_WHERE_MAX,
                   strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, at.port);
    return true;
}

/* A TLS listener is called by the name in its certificate, and who writes into which file
 * is for people to say: these are only told. */
static int find_one(struct con_canary_targets *out, const json_t *source)
{
    const char *kind = hd_alert_text(source, "kind");
    const char *name = hd_alert_text(source, "name");
    char where[CON_CANARY_WHERE_MAX];
    bool is_udp = strcmp(kind, "syslog-udp") == 0;
    if ((is_udp || strcmp(kind, "syslog-tcp") == 0) && out->n < CON_LIST_MAX &&
        reach(name, where)) {
        struct con_canary_target *target = &out->list[out->n];
        int code = add(out, is_udp ? HD_CANARY_UDP : HD_CANARY_TCP, where);
        memcpy(target->found, where, sizeof(where));
        target->where = target->found;
        return code;
    }
    (void)con_fail(0, "not covered: %s %s%s", kind, name,
                   strcmp(kind, "file") == 0         ? "; name a file with --file"
                   : strcmp(kind, "stdin") == 0      ? "; name its pipe with --stdin"
                   : strcmp(kind, "syslog-tls") == 0 ? "; name it with --tls"
                                                     : "");
    return HD_EXIT_OK;
}

static int find(const struct con_args *args, struct con_canary_targets *out)
{
    char why[256];
    size_t i = 0;
    const json_t *source = NULL;
    int code = HD_EXIT_OK;
    json_t *status = con_ask(con_args_value(args, "run-dir"), "agent", "/status", why);
    const json_t *sources = json_object_get(status, "sources");
    json_array_foreach(sources, i, source)
    {
        code = code != HD_EXIT_OK ? code : find_one(out, source);
    }
    json_decref(status);
    if (code == HD_EXIT_OK && out->n == 0) {
        code = con_fail(HD_EXIT_USAGE,
                        "by which way in? no agent with listeners answers on this "
                        "machine; name --udp, --tcp, --tls, --file or --stdin");
    }
    return code;
}

int con_canary_targets_new(const struct con_args *args, struct con_canary_targets *out)
{
    size_t at = 0;
    int code = HD_EXIT_OK;
    *out = (struct con_canary_targets){0};
    out->list = calloc(CON_LIST_MAX, sizeof(*out->list));
    if (out->list == NULL) {
        return con_fail(HD_EXIT_RUNTIME, "out of memory");
    }
    if (con_args_next(args, "tls", &at) != NULL) {
        code = load_tls(args, out);
    }
    code = code != HD_EXIT_OK ? code : add_all(args, out);
    if (code == HD_EXIT_OK && out->n == 0) {
        code = find(args, out);
    }
    if (code != HD_EXIT_OK) {
        con_canary_targets_free(out);
    }
    return code;
}

void con_canary_targets_free(struct con_canary_targets *targets)
{
    hd_tls_free(targets->tls);
    free(targets->list);
    *targets = (struct con_canary_targets){0};
}
