/* SPDX-License-Identifier: Apache-2.0
 *
 * A library to preload into a program under test: at the n-th call of a kind on a path
 * that fits a pattern, the process is killed before, after or amid the call, stopped
 * before it, or the call fails. The program itself knows nothing of it.
 *
 *   HD_FAULT="CALL PATTERN NTH TIMES ACTION"   fnmatch(3) pattern; TCP sockets are "tcp"
 *   HD_FAULT_FIRED=FILE    made when the fault happens
 *   HD_FAULT_TRACE=FILE    every call that could be named, a line each: CALL PATH
 *   HD_FAULT_READ_ONLY=FILE    while it exists, nothing below HD_FAULT_BELOW=DIR can be
 *                          changed (a file system with open files cannot be remounted)
 *   HD_FAULT_DISK=BYTES    a second are all that a disk takes below HD_FAULT_BELOW: a
 *                          sync lasts as long as what it carries needs
 *   HD_FAULT_SYNC=MS       and so much longer
 *   HD_FAULT_CLOCK=FILE    holds the seconds (int64) by which the wall clock is wrong
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FDS        4096
#define PIECES     64

enum action {
    ACTION_NONE,
    ACTION_BEFORE, /* killed before the call */
    ACTION_AFTER,  /* killed when it is done */
    ACTION_TORN,   /* killed when half of it is written */
    ACTION_SHORT,  /* half of it is written */
    ACTION_EIO,
    ACTION_ENOSPC,
    ACTION_EROFS,
    ACTION_LOSE, /* a sync fails, and what it should have carried is gone */
    ACTION_STOP, /* stopped before the call, until somebody sends SIGCONT */
};

static const char *const actions[] = {"none", "before", "after", "torn", "short",
                                      "eio",  "enospc", "erofs", "lose", "stop"};

static struct {
    char *call, *pattern;
    const char *fired, *trace, *read_only, *below;
    const volatile int64_t *clock_error_s;
    unsigned nth, times;
    unsigned disk;    /* bytes a second; 0 = as fast as it is */
    unsigned sync_ms; /* by which every sync is slower */
    enum action action;
    atomic_uint seen;
} fault;

/* What was written to a descriptor since it was synced. */
static struct {
    off_t from, to;
} dirty[FDS];

/* ---- what to do ---- */

static unsigned number(const char *text)
{
    unsigned value = 0;
    for (; text != NULL && *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (unsigned)(*text - '0');
    }
    return value;
}

static void map_clock(const char *path)
{
    int fd = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        abort();
    }
    (void)close(fd);
    fault.clock_error_s = map;
}

__attribute__((constructor)) static void read_orders(void)
{
    char *rest = NULL;
    const char *order = getenv("HD_FAULT");
    char *text = order == NULL ? NULL : strdup(order);
    fault.fired = getenv("HD_FAULT_FIRED");
    fault.trace = getenv("HD_FAULT_TRACE");
    fault.read_only = getenv("HD_FAULT_READ_ONLY");
    fault.below = getenv("HD_FAULT_BELOW");
    fault.disk = number(getenv("HD_FAULT_DISK"));
    fault.sync_ms = number(getenv("HD_FAULT_SYNC"));
    if (getenv("HD_FAULT_CLOCK") != NULL) {
        map_clock(getenv("HD_FAULT_CLOCK"));
    }
    if (text == NULL) {
        return;
    }
    fault.pattern = strchr(text, ' ');
    if (fault.pattern == NULL) {
        abort();
    }
    *fault.pattern++ = '\0';
    rest = strchr(fault.pattern, ' ');
    if (rest == NULL) {
        abort();
    }
    *rest++ = '\0';
    fault.call = text;
    fault.nth = number(rest);
    rest = strchr(rest, ' ');
    fault.times = number(rest == NULL ? NULL : rest + 1);
    const char *name = strrchr(order, ' ') + 1;
    for (unsigned i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        fault.action = strcmp(name, actions[i]) == 0 ? (enum action)i : fault.action;
    }
    if (fault.nth == 0 || fault.times == 0 || fault.action == ACTION_NONE) {
        abort(); /* the test is wrong */
    }
}

static void note(const char *file, const char *call, const char *path)
{
    char line[PATH_MAX + 64];
    int len = snprintf(line, sizeof(line), "%s %s\n", call, path);
    int fd = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)REAL(write)(fd, line, (size_t)len);
        (void)close(fd);
    }
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

static bool is_forbidden(const char *call, const char *path)
{
    return fault.read_only != NULL && fault.below != NULL &&
           strncmp(path, fault.below, strlen(fault.below)) == 0 &&
           strcmp(call, "read") != 0 && strcmp(call, "open") != 0 &&
           strcmp(call, "sync") != 0 && access(fault.read_only, F_OK) == 0;
}

static enum action meet(const char *call, const char *path)
{
    if (is_forbidden(call, path)) {
        return ACTION_EROFS;
    }
    if (fault.trace != NULL) {
        note(fault.trace, call, path);
    }
    if (fault.call == NULL || strcmp(call, fault.call) != 0 ||
        fnmatch(fault.pattern, path, 0) != 0) {
        return ACTION_NONE;
    }
    unsigned seen = atomic_fetch_add(&fault.seen, 1) + 1;
    if (seen < fault.nth || seen >= fault.nth + fault.times) {
        return ACTION_NONE;
    }
    if (fault.fired != NULL) {
        note(fault.fired, call, path);
    }
    if (fault.action == ACTION_BEFORE) {
        die();
    }
    if (fault.action == ACTION_STOP) {
        (void)raise(SIGSTOP); /* of this thread, so that it is stopped here */
    }
    return fault.action;
}

/* Sockets of families that no test names, pipes and eventfds have no path. */
static enum action meet_fd(const char *call, int fd)
{
    char link[64], path[PATH_MAX];
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int saved = errno;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (strncmp(path, "socket:", 7) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
        (void)snprintf(path, sizeof(path), "%s",
                       address.ss_family == AF_INET ? "tcp" : "");
    }
    errno = saved;
    return path[0] == '/' || strcmp(path, "tcp") == 0 ? meet(call, path) : ACTION_NONE;
}

static bool is_error(enum action action)
{
    if (action == ACTION_EIO || action == ACTION_LOSE) {
        errno = EIO;
    } else if (action == ACTION_ENOSPC) {
        errno = ENOSPC;
    } else if (action == ACTION_EROFS) {
        errno = EROFS;
    } else {
        return false;
    }
    return true;
}

static ssize_t done(enum action action, ssize_t result)
{
    if (action == ACTION_AFTER || action == ACTION_TORN) {
        die();
    }
    return result;
}

/* ---- what is written ---- */

static void soil(int fd, off_t at, ssize_t len)
{
    if (fd < 0 || fd >= FDS || len <= 0) {
        return;
    }
    bool is_clean = dirty[fd].to == 0;
    dirty[fd].from = is_clean || at < dirty[fd].from ? at : dirty[fd].from;
    dirty[fd].to = at + len > dirty[fd].to ? at + len : dirty[fd].to;
}

static void clean(int fd)
{
    if (fd >= 0 && fd < FDS) {
        dirty[fd].from = dirty[fd].to = 0;
    }
}

/* As if the pages had been dropped and read again from a disk that never got them. */
static void lose(int fd)
{
    struct stat st;
    static const char zeros[4096];
    if (fd < 0 || fd >= FDS || fstat(fd, &st) != 0) {
        return;
    }
    off_t end = dirty[fd].to < st.st_size ? dirty[fd].to : st.st_size;
    for (off_t at = dirty[fd].from; at < end;) {
        size_t len =
            (size_t)(end - at) < sizeof(zeros) ? (size_t)(end - at) : sizeof(zeros);
        ssize_t n = REAL(pwrite)(fd, zeros, len, at);
        if (n <= 0) {
            return;
        }
        at += n;
    }
    clean(fd);
}

/* Of the pieces the first half; how many they are. */
static int halve(const struct iovec *iov, int n, struct iovec half[PIECES])
{
    size_t total = 0;
    int pieces = 0;
    for (int i = 0; i < n; i++) {
        total += iov[i].iov_len;
    }
    for (size_t left = total / 2; left > 0 && pieces < n && pieces < PIECES; pieces++) {
        half[pieces] = iov[pieces];
        half[pieces].iov_len = iov[pieces].iov_len < left ? iov[pieces].iov_len : left;
        left -= half[pieces].iov_len;
    }
    return pieces;
}

static bool is_half(enum action action)
{
    return action == ACTION_TORN || action == ACTION_SHORT;
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    struct iovec half[PIECES];
    enum action action = meet_fd("write", fd);
    if (is_error(action)) {
        return -1;
    }
    if (is_half(action)) {
        n = halve(iov, n, half);
        iov = half;
    }
    ssize_t put = REAL(pwritev)(fd, iov, n, at);
    soil(fd, at, put);
    return done(action, put);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    struct iovec half[PIECES];
    enum action action = meet_fd("write", fd);
    if (is_error(action)) {
        return -1;
    }
    if (is_half(action)) {
        n = halve(iov, n, half);
        iov = half;
    }
    return done(action, REAL(writev)(fd, iov, n));
}

ssize_t write(int fd, const void *data, size_t len)
{
    enum action action = meet_fd("write", fd);
    if (is_error(action)) {
        return -1;
    }
    return done(action,
                REAL(write)(fd, data, is_half(action) && len > 1 ? len / 2 : len));
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    enum action action = meet_fd("write", fd);
    if (is_error(action)) {
        return -1;
    }
    return done(action,
                REAL(send)(fd, data, is_half(action) && len > 1 ? len / 2 : len, flags));
}

/* ---- the others ---- */

ssize_t read(int fd, void *to, size_t len)
{
    enum action action = meet_fd("read", fd);
    return is_error(action) ? -1 : done(action, REAL(read)(fd, to, len));
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
    enum action action = meet_fd("read", fd);
    return is_error(action) ? -1 : done(action, REAL(pread)(fd, to, len, at));
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
    enum action action = meet_fd("read", fd);
    return is_error(action) ? -1 : done(action, REAL(recv)(fd, to, len, flags));
}

/* The disk is as slow as was ordered; one file after the other, as a disk would. */
static void be_slow(int fd)
{
    char link[64], path[PATH_MAX];
    if (fault.below == NULL || fd < 0 || fd >= FDS) {
        return;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (strncmp(path, fault.below, strlen(fault.below)) == 0) {
        uint64_t bytes = (uint64_t)(dirty[fd].to - dirty[fd].from);
        uint64_t us = fault.disk == 0 ? 0 : bytes * 1000000 / fault.disk;
        us += (uint64_t)fault.sync_ms * 1000;
        const struct timespec wait = {(time_t)(us / 1000000),
                                      (long)(us % 1000000) * 1000};
        (void)nanosleep(&wait, NULL);
    }
}

static int sync_with(const char *name, int fd)
{
    enum action action = meet_fd("sync", fd);
    be_slow(fd);
    if (action == ACTION_LOSE) {
        lose(fd);
    }
    if (is_error(action)) {
        return -1;
    }
    int bad = ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
    clean(fd);
    return (int)done(action, bad);
}

int fdatasync(int fd)
{
    return sync_with("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_with("fsync", fd);
}

int ftruncate(int fd, off_t len)
{
    enum action action = meet_fd("truncate", fd);
    return is_error(action) ? -1 : (int)done(action, REAL(ftruncate)(fd, len));
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    enum action action = to->sa_family == AF_INET ? meet("connect", "tcp") : ACTION_NONE;
    return is_error(action) ? -1 : (int)done(action, REAL(connect)(fd, to, len));
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    enum action action = meet((flags & O_CREAT) != 0 ? "create" : "open", path);
    if (is_error(action)) {
        return -1;
    }
    int fd = REAL(open)(path, flags, mode);
    clean(fd);
    return (int)done(action, fd);
}

int mkostemp(char *path, int flags)
{
    enum action action = meet("create", path);
    return is_error(action) ? -1 : (int)done(action, REAL(mkostemp)(path, flags));
}

int rename(const char *from, const char *to)
{
    enum action action = meet("rename", to);
    return is_error(action) ? -1 : (int)done(action, REAL(rename)(from, to));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    enum action action = meet("rename", to);
    return is_error(action)
               ? -1
               : (int)done(action, REAL(renameat2)(from_dir, from, to_dir, to, flags));
}

int unlink(const char *path)
{
    enum action action = meet("unlink", path);
    return is_error(action) ? -1 : (int)done(action, REAL(unlink)(path));
}

/* ---- clocks ---- */

static time_t error_s(void)
{
    return fault.clock_error_s == NULL ? 0 : (time_t)*fault.clock_error_s;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int bad = REAL(clock_gettime)(clock, out);
    if (bad == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += error_s();
    }
    return bad;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int bad = REAL(gettimeofday)(out, zone);
    out->tv_sec += error_s();
    return bad;
}

time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
