/* SPDX-License-Identifier: Apache-2.0
 *
 * Life times of libuv handles, the signals of a process, and back-off. Everything here
 * belongs to the thread of its loop. The only place where signal dispositions are set.
 */
#include <haidang/loop.h>

#include <signal.h>
#include <stdlib.h>

#include <haidang/hash.h>

void hd_owner_init(struct hd_owner *owner, void (*freed)(void *ctx), void *ctx)
{
    *owner = (struct hd_owner){.freed = freed, .ctx = ctx, .state = HD_OWNER_OPEN};
}

void hd_owner_add(struct hd_owner *owner, uv_handle_t *handle)
{
    (void)hd_fails(owner->state == HD_OWNER_OPEN);
    handle->data = owner;
    owner->open_handles++;
}

/* The owner may be gone when this returns. */
static void owner_release(struct hd_owner *owner)
{
    owner->state = HD_OWNER_CLOSED;
    if (owner->freed != NULL) {
        owner->freed(owner->ctx);
    }
}

static void owner_handle_closed(uv_handle_t *handle)
{
    struct hd_owner *owner = handle->data;
    if (hd_fails(owner->open_handles > 0)) {
        return;
    }
    if (owner->handle_closed != NULL) {
        owner->handle_closed(owner->ctx, handle);
    }
    if (--owner->open_handles == 0) {
        owner_release(owner);
    }
}

void hd_owner_close(struct hd_owner *owner, uv_handle_t *handle)
{
    if (hd_fails(handle->data == owner)) {
        return;
    }
    if (!uv_is_closing(handle)) {
        uv_close(handle, owner_handle_closed);
    }
}

void hd_owner_finish(struct hd_owner *owner)
{
    if (owner->state != HD_OWNER_OPEN) {
        return;
    }
    owner->state = HD_OWNER_CLOSING;
    if (owner->open_handles == 0) {
        owner_release(owner);
    }
}

int hd_err_from_uv(int status)
{
    if (status >= 0) {
        return HD_OK;
    }
    switch (status) {
    case UV_EOF:
    case UV_ECANCELED:
        return HD_ECLOSED;
    case UV_EAI_MEMORY:
        return HD_ENOMEM;
    case UV_EAI_ADDRFAMILY:
    case UV_EAI_AGAIN:
    case UV_EAI_BADFLAGS:
    case UV_EAI_BADHINTS:
    case UV_EAI_CANCELED:
    case UV_EAI_FAIL:
    case UV_EAI_FAMILY:
    case UV_EAI_NODATA:
    case UV_EAI_NONAME:
    case UV_EAI_OVERFLOW:
    case UV_EAI_PROTOCOL:
    case UV_EAI_SERVICE:
    case UV_EAI_SOCKTYPE:
    case UV_ECONNREFUSED:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
    case UV_EPIPE:
        return HD_ECONN;
    case UV_ETIMEDOUT:
        return HD_ETIMEDOUT;
    default:
        return hd_err_from_errno(-status);
    }
}

/* ---- signals ---- */

enum { SIGNALS_N = 3 };

struct hd_signals {
    struct hd_owner owner;
    uv_signal_t handle[SIGNALS_N];
    struct hd_signals_ops ops;
};

static void signals_freed(void *ctx)
{
    free(ctx);
}

static void signals_caught(uv_signal_t *handle, int signum)
{
    struct hd_signals *signals =
        HD_CONTAINER((struct hd_owner *)handle->data, struct hd_signals, owner);
    if (signum != SIGHUP) {
        signals->ops.stop(signals->ops.ctx);
    } else if (signals->ops.reload != NULL) {
        signals->ops.reload(signals->ops.ctx);
    }
}

static int signals_start(struct hd_signals *signals, uv_loop_t *loop)
{
    static const int signums[SIGNALS_N] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < SIGNALS_N; i++) {
        uv_signal_t *handle = &signals->handle[i];
        int status = uv_signal_init(loop, handle);
        if (status != 0) {
            return hd_err_from_uv(status);
        }
        hd_owner_add(&signals->owner, (uv_handle_t *)handle);
        status = uv_signal_start(handle, signals_caught, signums[i]);
        if (status != 0) {
            return hd_err_from_uv(status);
        }
        uv_unref((uv_handle_t *)handle);
    }
    return HD_OK;
}

int hd_signals_open(uv_loop_t *loop, const struct hd_signals_ops *ops,
                    struct hd_signals **out)
{
    struct hd_signals *signals = calloc(1, sizeof(*signals));
    if (signals == NULL) {
        return HD_ENOMEM;
    }
    signals->ops = *ops;
    hd_owner_init(&signals->owner, signals_freed, signals);

    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&ignore.sa_mask);
    (void)sigaction(SIGPIPE, &ignore, NULL);

    int err = signals_start(signals, loop);
    if (err != HD_OK) {
        hd_signals_close(signals);
        return err;
    }
    sigset_t held;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGHUP);
    (void)sigprocmask(SIG_UNBLOCK, &held, NULL);
    *out = signals;
    return HD_OK;
}

void hd_signals_close(struct hd_signals *signals)
{
    if (signals == NULL) {
        return;
    }
    /* handles that were never added have no data; closing them is not ours to do */
    for (int i = 0; i < SIGNALS_N; i++) {
        if (signals->handle[i].data != NULL) {
            hd_owner_close(&signals->owner, (uv_handle_t *)&signals->handle[i]);
        }
    }
    hd_owner_finish(&signals->owner);
}

void hd_signals_hold(bool is_ending)
{
    sigset_t held;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGHUP);
    if (is_ending) {
        (void)sigaddset(&held, SIGTERM);
        (void)sigaddset(&held, SIGINT);
    }
    (void)sigprocmask(SIG_BLOCK, &held, NULL);
}

/* ---- back-off ---- */

static uint64_t backoff_ceiling(const struct hd_backoff *backoff)
{
    uint64_t ceiling = backoff->base_ms;
    for (unsigned i = 0; i < backoff->failures && ceiling < backoff->cap_ms; i++) {
        ceiling = ceiling > UINT64_MAX / 2 ? UINT64_MAX : ceiling * 2;
    }
    return ceiling < backoff->cap_ms ? ceiling : backoff->cap_ms;
}

uint64_t hd_backoff_next_ms(struct hd_backoff *backoff)
{
    uint64_t ceiling = backoff_ceiling(backoff);
    if (backoff->failures < UINT32_MAX) {
        backoff->failures++;
    }
    if (ceiling <= backoff->floor_ms) {
        return backoff->floor_ms;
    }
    uint64_t random;
    if (hd_random(&random, sizeof(random)) != HD_OK) {
        return ceiling;
    }
    uint64_t span = ceiling - backoff->floor_ms;
    return span == UINT64_MAX ? random : backoff->floor_ms + random % (span + 1);
}

void hd_backoff_reset(struct hd_backoff *backoff)
{
    backoff->failures = 0;
}
