/* SPDX-License-Identifier: Apache-2.0
 *
 * libuv handle life times. Every handle lives inside an owner that counts its open
 * handles and is freed in the last close callback; nobody else frees it.
 *
 *     struct thing { struct hd_owner owner; uv_timer_t timer; ... };
 *     hd_owner_init(&t->owner, thing_freed, t);
 *     uv_timer_init(loop, &t->timer);  hd_owner_add(&t->owner, (uv_handle_t *)&t->timer);
 *     hd_owner_close(&t->owner, (uv_handle_t *)&t->timer);   -> thing_freed(t) after the
 * last
 *
 * The handle's `data` belongs to the owner; find the thing with HD_CONTAINER. A thing
 * that replaces its only handle keeps another one (a timer) open meanwhile.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include <haidang/err.h>

#define HD_CONTAINER(ptr, type, member)                                                  \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

enum hd_owner_state { HD_OWNER_OPEN, HD_OWNER_CLOSING, HD_OWNER_CLOSED };

struct hd_owner {
    void (*freed)(void *ctx); /* called once, when the last handle has closed */
    void *ctx;
    /* set after init by a thing that replaces a handle: each one that has closed */
    void (*handle_closed)(void *ctx, uv_handle_t *handle);
    unsigned open_handles;
    enum hd_owner_state state;
};

void hd_owner_init(struct hd_owner *owner, void (*freed)(void *ctx), void *ctx);
/* The handle was initialised on a loop; sets handle->data to the owner. */
void hd_owner_add(struct hd_owner *owner, uv_handle_t *handle);
/* Closes one handle; harmless when it is closing already. */
void hd_owner_close(struct hd_owner *owner, uv_handle_t *handle);
/* Nothing more will be added. With no handle open `freed` is called at once. */
void hd_owner_finish(struct hd_owner *owner);
static inline bool hd_owner_is_open(const struct hd_owner *owner)
{
    return owner->state == HD_OWNER_OPEN;
}

/* HD_E* for a libuv status (which is a negative errno). */
int hd_err_from_uv(int status);

/* SIGTERM and SIGINT -> stop, SIGHUP -> reload; SIGPIPE is ignored. One a process. The
 * handles do not keep the loop running; close them (and run the loop once) at the end. */
struct hd_signals;
struct hd_signals_ops {
    void (*stop)(void *ctx);   /* the second signal of the kind is called again */
    void (*reload)(void *ctx); /* may be NULL: then SIGHUP is ignored */
    void *ctx;
};
int hd_signals_open(uv_loop_t *loop, const struct hd_signals_ops *ops,
                    struct hd_signals **out) HD_MUST_USE;
void hd_signals_close(struct hd_signals *signals);
/* Signals wait instead of ending the process: SIGHUP before hd_signals_open, which lets
 * it through; at the end of a process (`is_ending`) all three, for good. */
void hd_signals_hold(bool is_ending);

/* Back-off with full jitter: each wait is uniform in [floor, min(cap, base * 2^n)];
 * success resets it (a connection alone is no success). */
struct hd_backoff {
    uint64_t base_ms, cap_ms, floor_ms;
    unsigned failures;
};
uint64_t hd_backoff_next_ms(struct hd_backoff *backoff);
void hd_backoff_reset(struct hd_backoff *backoff);
