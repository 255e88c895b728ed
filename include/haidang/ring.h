/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded single-producer single-consumer ring of pointers between two threads. The
 * consumer is a loop (woken by uv_async) or a plain thread (waits on an eventfd); both
 * must drain it fully at each wake-up. Moves ownership of what the pointers point to.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <haidang/err.h>

struct hd_ring;

/* cap is rounded up to a power of two, at most 1 << 20. */
int hd_ring_new(size_t cap, struct hd_ring **out) HD_MUST_USE;
/* Both threads are done with it; what is still inside is handed to `drop` (may be NULL).
 */
void hd_ring_free(struct hd_ring *ring, void (*drop)(void *item));

/* Producer. HD_EFULL when full (nothing moved), HD_ECLOSED after close. */
int hd_ring_push(struct hd_ring *ring, void *item) HD_MUST_USE;
/* Producer: waits until there is room. HD_ECLOSED after close. */
int hd_ring_push_wait(struct hd_ring *ring, void *item) HD_MUST_USE;
/* Consumer: NULL when empty. */
void *hd_ring_pop(struct hd_ring *ring);
/* Consumer thread: waits at most timeout_ms (-1 = for ever) for an item or close. */
void *hd_ring_pop_wait(struct hd_ring *ring, int timeout_ms);

/* Consumer is a loop: `wake` runs on it after pushes (coalesced). */
int hd_ring_attach(struct hd_ring *ring, uv_loop_t *loop, void (*wake)(void *ctx),
                   void *ctx) HD_MUST_USE;
/* Loop thread; `detached` runs when the async handle is closed. */
void hd_ring_detach(struct hd_ring *ring, void (*detached)(void *ctx), void *ctx);

/* Either side: no more pushes; wakes the consumer and a waiting producer. */
void hd_ring_close(struct hd_ring *ring);
bool hd_ring_is_closed(const struct hd_ring *ring);

size_t hd_ring_depth(const struct hd_ring *ring);
size_t hd_ring_high_water(const struct hd_ring *ring);
