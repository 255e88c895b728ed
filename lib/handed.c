/* SPDX-License-Identifier: Apache-2.0
 *
 * As the environment that announces them, what was handed over is there once a process.
 */
#include <haidang/handed.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <haidang/inet.h>
#include <haidang/num.h>
#include <haidang/slice.h>

enum { FIRST_FD = 3, NAME_MAX_LEN = 64, WHY_MAX = 256 };

struct handed {
    int fd; /* -1: claimed */
    int type;
    char name[NAME_MAX_LEN];
    struct sockaddr_storage addr;
};

static struct handed handed[HD_HANDED_MAX]; /* lint: global, see above */
static size_t n_handed;                     /* lint: global, see above */

/* ---- what is compared ---- */

static struct hd_slice unix_path(const struct sockaddr *addr)
{
    const struct sockaddr_un *at = (const struct sockaddr_un *)(const void *)addr;
    return hd_slice(at->sun_path, strnlen(at->sun_path, sizeof(at->sun_path)));
}

static bool is_same(const struct sockaddr *a, const struct sockaddr *b)
{
    struct hd_ip ip_a, ip_b;
    uint16_t port_a, port_b;
    if (a->sa_family == AF_UNIX || b->sa_family == AF_UNIX) {
        return a->sa_family == b->sa_family && hd_slice_eq(unix_path(a), unix_path(b));
    }
    return hd_sockaddr_ip(a, &ip_a, &port_a) == HD_OK &&
           hd_sockaddr_ip(b, &ip_b, &port_b) == HD_OK && hd_ip_eq(&ip_a, &ip_b) &&
           port_a == port_b;
}

static struct handed *find(int type, const struct sockaddr *addr)
{
    for (size_t i = 0; i < n_handed; i++) {
        struct handed *h = &handed[i];
        if (h->fd >= 0 && h->type == type &&
            is_same((const struct sockaddr *)&h->addr, addr)) {
            return h;
        }
    }
    return NULL;
}

/* ---- taking ---- */

/* What is wrong with the descriptor; NULL: it can be listened on. */
static const char *examine(struct handed *h)
{
    socklen_t len = sizeof(h->type);
    int is_listening = 0;
    if (getsockopt(h->fd, SOL_SOCKET, SO_TYPE, &h->type, &len) != 0) {
        return "is no socket";
    }
    len = sizeof(h->addr);
    if (getsockname(h->fd, (struct sockaddr *)&h->addr, &len) != 0) {
        return "has no address";
    }
    len = sizeof(is_listening);
    if (h->type == SOCK_STREAM &&
        (getsockopt(h->fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 ||
         !is_listening)) {
        return "is a connection, not a listener (Accept=no is needed)";
    }
    int flags = fcntl(h->fd, F_GETFL);
    if (flags < 0 || fcntl(h->fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(h->fd, F_SETFD, FD_CLOEXEC) != 0) {
        return "cannot be made non-blocking";
    }
    return NULL;
}

static int take_all(size_t n, struct hd_slice names, char why[WHY_MAX])
{
    for (size_t i = 0; i < n; i++) {
        struct handed *h = &handed[i];
        struct hd_slice name = HD_SLICE_EMPTY;
        (void)hd_slice_split(&names, ':', &name);
        *h = (struct handed){.fd = FIRST_FD + (int)i};
        (void)snprintf(h->name, sizeof(h->name), "%.*s", (int)name.len,
                       (const char *)name.ptr);
        const char *problem = examine(h);
        if (problem != NULL) {
            (void)snprintf(why, WHY_MAX, "descriptor %d (%s), which was handed over, %s",
                           h->fd, h->name, problem);
            return HD_EINVAL;
        }
        n_handed++;
    }
    return HD_OK;
}

int hd_handed_take(char why[WHY_MAX])
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t whose = 0, n = 0;
    int err = HD_OK;
    if (pid != NULL && fds != NULL) {
        if (hd_num_u64(hd_slice_str(pid), INT32_MAX, &whose) != HD_OK ||
            hd_num_u64(hd_slice_str(fds), HD_HANDED_MAX, &n) != HD_OK) {
            (void)snprintf(why, WHY_MAX,
                           "LISTEN_PID=%.40s, LISTEN_FDS=%.40s: not a process and at "
                           "most %d descriptors",
                           pid, fds, HD_HANDED_MAX);
            err = HD_EINVAL;
        } else if (whose == (uint64_t)getpid()) {
            err = take_all((size_t)n,
                           names == NULL ? HD_SLICE_EMPTY : hd_slice_str(names), why);
        } /* else they are a parent's */
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return err;
}

/* ---- giving ---- */

bool hd_handed_has(int type, const struct sockaddr *addr)
{
    return find(type, addr) != NULL;
}

int hd_handed_claim(int type, const struct sockaddr *addr)
{
    struct handed *h = find(type, addr);
    if (h == NULL) {
        return -1;
    }
    int fd = h->fd;
    h->fd = -1;
    return fd;
}

static const char *type_name(const struct handed *h)
{
    bool is_unix = h->addr.ss_family == AF_UNIX;
    return h->type == SOCK_DGRAM    ? is_unix ? "unix datagrams at" : "udp"
           : h->type == SOCK_STREAM ? is_unix ? "unix" : "tcp"
                                    : "socket of another type at";
}

bool hd_handed_left(struct hd_buf *out)
{
    for (size_t i = 0; i < n_handed; i++) {
        const struct handed *h = &handed[i];
        const struct sockaddr *addr = (const struct sockaddr *)&h->addr;
        if (h->fd < 0) {
            continue;
        }
        hd_buf_printf(out, "descriptor %d (%s), %s ", h->fd, h->name, type_name(h));
        if (addr->sa_family == AF_UNIX) {
            hd_buf_slice_add(out, unix_path(addr));
        } else {
            hd_sockaddr_format(out, addr);
        }
        return true;
    }
    return false;
}

void hd_handed_drop(void)
{
    for (size_t i = 0; i < n_handed; i++) {
        if (handed[i].fd >= 0) {
            (void)close(handed[i].fd);
        }
    }
    n_handed = 0;
}
