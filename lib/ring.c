/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded SPSC ring. `tail` is written by the producer alone, `head` by the consumer
 * alone; both run freely and are masked at use, so tail - head is the depth. A side that
 * is about to sleep raises its flag and looks once more; the other side moves its index
 * and then looks at the flag. Both are sequentially consistent, so one of the two sees
 * the other and no wake-up is lost; while nobody sleeps there is no system call.
 */
#include <haidang/ring.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <haidang/loop.h>

#define CACHE_LINE   64
#define RING_CAP_MAX ((size_t)1 << 20)

struct hd_ring {
    /* never changes after hd_ring_new */
    void **slots;
    size_t mask;
    int items_fd; /* the consumer sleeps on it */
    int room_fd;  /* the producer sleeps on it */

    /* written by the producer */
    _Alignas(CACHE_LINE) _Atomic size_t tail;
    size_t head_seen; /* last look at head */
    _Atomic size_t high_water;

    /* written by the consumer */
    _Alignas(CACHE_LINE) _Atomic size_t head;
    size_t tail_seen; /* last look at tail */

    /* read by both all the time, written seldom */
    _Alignas(CACHE_LINE) _Atomic bool closed;
    _Atomic bool attached;
    _Atomic bool producer_sleeps;
    _Atomic bool consumer_sleeps;

    /* a loop as consumer */
    _Alignas(CACHE_LINE) _Atomic unsigned senders; /* inside uv_async_send */
    uv_async_t async;
    struct hd_owner owner;
    void (*wake)(void *ctx);
    void *wake_ctx;
    void (*detached)(void *ctx);
    void *detached_ctx;
};

static size_t round_up_pow2(size_t n)
{
    size_t pow2 = 1;
    while (pow2 < n) {
        pow2 <<= 1;
    }
    return pow2;
}

int hd_ring_new(size_t cap, struct hd_ring **out)
{
    if (cap == 0 || cap > RING_CAP_MAX) {
        return HD_EINVAL;
    }
    struct hd_ring *ring = aligned_alloc(CACHE_LINE, sizeof(*ring));
    if (ring == NULL) {
        return HD_ENOMEM;
    }
    *ring = (struct hd_ring){.items_fd = -1, .room_fd = -1};
    size_t n = round_up_pow2(cap);
    ring->mask = n - 1;
    ring->slots = calloc(n, sizeof(*ring->slots));
    int err = ring->slots == NULL ? HD_ENOMEM : HD_OK;
    if (err == HD_OK) {
        ring->items_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ring->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (ring->items_fd < 0 || ring->room_fd < 0) {
            err = hd_err_from_errno(errno);
        }
    }
    if (err != HD_OK) {
        hd_ring_free(ring, NULL);
        return err;
    }
    *out = ring;
    return HD_OK;
}

void hd_ring_free(struct hd_ring *ring, void (*drop)(void *item))
{
    if (ring == NULL || hd_fails(!atomic_load(&ring->attached))) {
        return;
    }
    void *item;
    while (drop != NULL && (item = hd_ring_pop(ring)) != NULL) {
        drop(item);
    }
    if (ring->items_fd >= 0) {
        (void)close(ring->items_fd);
    }
    if (ring->room_fd >= 0) {
        (void)close(ring->room_fd);
    }
    free(ring->slots);
    free(ring);
}

static void event_raise(int fd)
{
    /* EAGAIN would mean that the counter is high already: the sleeper wakes anyway */
    const uint64_t one = 1;
    ssize_t n;
    do {
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

/* Sleeps until the event is raised; false when the time is over or a signal came. */
static bool event_wait(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, timeout_ms) <= 0) {
        return false;
    }
    uint64_t count;
    return read(fd, &count, sizeof(count)) > 0;
}

/* The count tells hd_ring_detach that the handle is in use by the other thread. */
static void async_raise(struct hd_ring *ring)
{
    if (!atomic_load(&ring->attached)) {
        return;
    }
    atomic_fetch_add(&ring->senders, 1);
    if (atomic_load(&ring->attached)) {
        (void)uv_async_send(&ring->async);
    }
    atomic_fetch_sub(&ring->senders, 1);
}

static bool has_room(struct hd_ring *ring, size_t tail)
{
    if (tail - ring->head_seen <= ring->mask) {
        return true;
    }
    ring->head_seen = atomic_load(&ring->head);
    return tail - ring->head_seen <= ring->mask;
}

/* The last look at head may be old: look again before a record is believed. */
static void note_depth(struct hd_ring *ring, size_t tail)
{
    size_t record = atomic_load_explicit(&ring->high_water, memory_order_relaxed);
    if (tail - ring->head_seen <= record) {
        return;
    }
    ring->head_seen = atomic_load(&ring->head);
    if (tail - ring->head_seen > record) {
        atomic_store_explicit(&ring->high_water, tail - ring->head_seen,
                              memory_order_relaxed);
    }
}

int hd_ring_push(struct hd_ring *ring, void *item)
{
    if (hd_fails(item != NULL)) {
        return HD_EINVAL;
    }
    if (atomic_load(&ring->closed)) {
        return HD_ECLOSED;
    }
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (!has_room(ring, tail)) {
        return HD_EFULL;
    }
    ring->slots[tail & ring->mask] = item;
    atomic_store(&ring->tail, tail + 1);

    note_depth(ring, tail + 1);
    if (atomic_load(&ring->consumer_sleeps)) {
        event_raise(ring->items_fd);
    }
    async_raise(ring);
    return HD_OK;
}

int hd_ring_push_wait(struct hd_ring *ring, void *item)
{
    for (;;) {
        int err = hd_ring_push(ring, item);
        if (err != HD_EFULL) {
            return err;
        }
        atomic_store(&ring->producer_sleeps, true);
        size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        if (!has_room(ring, tail) && !atomic_load(&ring->closed)) {
            (void)event_wait(ring->room_fd, -1);
        }
        atomic_store(&ring->producer_sleeps, false);
    }
}

static bool has_items(struct hd_ring *ring, size_t head)
{
    if (ring->tail_seen != head) {
        return true;
    }
    ring->tail_seen = atomic_load(&ring->tail);
    return ring->tail_seen != head;
}

void *hd_ring_pop(struct hd_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (!has_items(ring, head)) {
        return NULL;
    }
    void *item = ring->slots[head & ring->mask];
    atomic_store(&ring->head, head + 1);
    if (atomic_load(&ring->producer_sleeps)) {
        event_raise(ring->room_fd);
    }
    return item;
}

void *hd_ring_pop_wait(struct hd_ring *ring, int timeout_ms)
{
    for (;;) {
        bool ended = atomic_load(&ring->closed); /* before the look that counts */
        void *item = hd_ring_pop(ring);
        if (item != NULL || ended) {
            return item;
        }
        bool woken = true;
        atomic_store(&ring->consumer_sleeps, true);
        size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        if (!has_items(ring, head) && !atomic_load(&ring->closed)) {
            woken = event_wait(ring->items_fd, timeout_ms);
        }
        atomic_store(&ring->consumer_sleeps, false);
        if (!woken && timeout_ms >= 0) {
            return hd_ring_pop(ring);
        }
    }
}

/* ---- a loop as consumer ---- */

static void ring_woken(uv_async_t *async)
{
    struct hd_ring *ring = HD_CONTAINER(async, struct hd_ring, async);
    ring->wake(ring->wake_ctx);
}

static void ring_detached(void *ctx)
{
    struct hd_ring *ring = ctx;
    if (ring->detached != NULL) {
        ring->detached(ring->detached_ctx);
    }
}

int hd_ring_attach(struct hd_ring *ring, uv_loop_t *loop, void (*wake)(void *ctx),
                   void *ctx)
{
    if (atomic_load(&ring->attached)) {
        return HD_EBUSY;
    }
    int status = uv_async_init(loop, &ring->async, ring_woken);
    if (status != 0) {
        return hd_err_from_uv(status);
    }
    hd_owner_init(&ring->owner, ring_detached, ring);
    hd_owner_add(&ring->owner, (uv_handle_t *)&ring->async);
    ring->wake = wake;
    ring->wake_ctx = ctx;
    atomic_store(&ring->attached, true);
    /* what was pushed before, or a close, would otherwise go unseen */
    (void)uv_async_send(&ring->async);
    return HD_OK;
}

void hd_ring_detach(struct hd_ring *ring, void (*detached)(void *ctx), void *ctx)
{
    if (!atomic_load(&ring->attached)) {
        if (detached != NULL) {
            detached(ctx);
        }
        return;
    }
    ring->detached = detached;
    ring->detached_ctx = ctx;
    atomic_store(&ring->attached, false);
    while (atomic_load(&ring->senders) > 0) {
        (void)sched_yield();
    }
    hd_owner_close(&ring->owner, (uv_handle_t *)&ring->async);
}

void hd_ring_close(struct hd_ring *ring)
{
    atomic_store(&ring->closed, true);
    event_raise(ring->items_fd);
    event_raise(ring->room_fd);
    async_raise(ring);
}

bool hd_ring_is_closed(const struct hd_ring *ring)
{
    return atomic_load(&ring->closed);
}

size_t hd_ring_depth(const struct hd_ring *ring)
{
    size_t head = atomic_load(&ring->head);
    size_t depth = atomic_load(&ring->tail) - head;
    return depth <= ring->mask + 1 ? depth : ring->mask + 1;
}

size_t hd_ring_high_water(const struct hd_ring *ring)
{
    return atomic_load_explicit(&ring->high_water, memory_order_relaxed);
}
