/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets as a source: frames from an interface or a capture file through the packet
 * engine, its records into the sink as JSON lines. Agent loop thread only.
 *
 * When the sink is full, records wait in `outbox` and no more frames are read: of an
 * interface the kernel's ring then overflows, which is counted; a file just waits. At
 * most FRAMES_PER_TURN frames are worked on before that is looked at, so the outbox is
 * small. The timer runs only while flows are open.
 *
 * The kernel's ring is small at first, for most servers are quiet and all of it is
 * resident memory. When the kernel drops packets a larger one takes over, up to `buffer`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "collector/metrics.h"
#include "collector/packet/inspect.h"
#include "collector/source/capture_open.h"
#include "collector/source/source.h"

#define FRAMES_PER_TURN 64
#define TURNS_PER_WAKE  16 /* then the loop's other work has its turn */
#define FLOWS_PER_TURN  64U
#define OUTBOX_MAX      (4U << 20)
#define TIMER_FLOOR_MS  1000
#define TIMER_CEIL_MS   INT64_C(60000)
#define RING_FIRST      (512U << 10)
#define HAND_OVER_NS    HD_NS_PER_SEC /* longer: the clock was set back */

static const struct hd_backoff reopen_backoff = {
    .base_ms = 1000, .cap_ms = 10000, .floor_ms = 500};

/* An open interface. Apart from the capture, because it may go and come again. */
struct device {
    struct hd_owner owner;
    uv_poll_t poll;
    pcap_t *pcap;
    uint64_t ring;           /* bytes */
    uint64_t dropped;        /* by the kernel, as read last */
    int64_t begins_ns;       /* frames just before were for the device before it */
    int64_t last_ns;         /* of the newest frame */
    struct capture *capture; /* borrowed; used only until the device is closed */
};

enum phase {
    PHASE_OPEN,  /* frames come */
    PHASE_LOST,  /* the interface went away; tried again by the timer */
    PHASE_ENDS,  /* the file is read; flows are being ended */
    PHASE_ENDED, /* all of the file is delivered */
};

struct capture {
    struct col_source source;
    struct hd_owner owner;
    uv_timer_t timer; /* interface: flows that time out, or the next try to open */
    uv_idle_t idle;   /* file: the next frames */
    const struct col_source_env *env;
    const struct col_conf_packet *conf;
    struct hd_batch_source batch_source;
    struct col_inspector *inspector;
    struct device *device;         /* interface */
    uint64_t ring_first, ring_max; /* bytes of its ring */
    pcap_t *file;
    enum phase phase;
    bool is_paused;  /* by the sink's owner */
    bool is_blocked; /* the sink was full */
    struct hd_backoff backoff;
    struct hd_buf outbox; /* 32-bit length, record, ... */
    size_t outbox_at;     /* what lies before was delivered */
    uint64_t lines, bytes, dropped;
    struct col_packet_stats counted; /* what the metrics know of */
    uint64_t kernel_dropped;         /* by interfaces that were closed meanwhile */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static struct capture *capture_of(struct col_source *source)
{
    return HD_CONTAINER(source, struct capture, source);
}

static bool is_stalled(const struct capture *c)
{
    return c->is_paused || c->is_blocked;
}

/* ---- records ---- */

static void lose_record(struct capture *c)
{
    const struct col_sink *sink = c->env->sink;
    c->dropped++;
    COL_COUNT(COL_RECORDS_LOST, 1);
    sink->lost(sink->ctx, &c->batch_source, HD_LOSS_SPOOL_FULL, 1, 0);
}

/* False: the sink is full. */
static bool deliver(struct capture *c, struct hd_slice line)
{
    int err = c->env->sink->add(c->env->sink->ctx, &c->batch_source, hd_clock_wall_ns(),
                                0, line);
    if (err == HD_EFULL) {
        return false;
    }
    if (err != HD_OK) {
        lose_record(c);
        return true;
    }
    c->lines++;
    c->bytes += line.len;
    return true;
}

static void keep(struct capture *c, struct hd_slice line)
{
    size_t before = c->outbox.len;
    hd_buf_le32(&c->outbox, (uint32_t)line.len);
    hd_buf_slice_add(&c->outbox, line);
    if (c->outbox.err != 0) {
        c->outbox.len = before;
        c->outbox.err = 0;
        lose_record(c);
    }
}

static void record(void *ctx, struct hd_slice line)
{
    struct capture *c = ctx;
    if (c->is_blocked || !deliver(c, line)) {
        c->is_blocked = true;
        keep(c, line);
    }
}

/* Delivers what waits; false when the sink is still full. */
static bool empty_outbox(struct capture *c)
{
    while (c->outbox_at < c->outbox.len) {
        const uint8_t *p = c->outbox.ptr + c->outbox_at;
        uint32_t len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                       (uint32_t)p[3] << 24;
        if (!deliver(c, hd_slice(p + 4, len))) {
            return false;
        }
        c->outbox_at += 4 + (size_t)len;
    }
    hd_buf_fini(&c->outbox); /* it is needed rarely: give the memory back */
    c->outbox_at = 0;
    c->is_blocked = false;
    return true;
}

static void inspect(struct capture *c, pcap_t *pcap, const struct pcap_pkthdr *header,
                    const u_char *bytes)
{
    struct col_captured captured = {
        .ns = col_capture_ns(pcap, header),
        .wire_len = header->len,
        .link = pcap_datalink(pcap),
        .bytes = hd_slice(bytes, header->caplen),
    };
    col_inspect_frame(c->inspector, &captured);
}

/* Tells the metrics what is new. */
static void count(struct capture *c)
{
    struct col_packet_stats now;
    struct col_packet_stats old = c->counted;
    col_inspect_stats(c->inspector, &now);
    const struct {
        enum col_metrics_id id;
        uint64_t more; /* flows_open may fall: modulo 2^64 the sum is right */
    } list[] = {
        {COL_PACKETS, now.frames - old.frames},
        {COL_PACKETS_PASSED, now.not_ip - old.not_ip + now.other - old.other},
        {COL_PACKETS_FRAGMENTS, now.fragments - old.fragments},
        {COL_PACKETS_BAD, now.cut - old.cut + now.malformed - old.malformed},
        {COL_FLOWS, now.flows - old.flows},
        {COL_FLOWS_OPEN, now.flows_open - old.flows_open},
        {COL_FLOWS_EVICTED, now.flows_evicted - old.flows_evicted},
        {COL_UNITS_BAD, now.units_malformed - old.units_malformed},
        {COL_UNITS_LOST, now.units_lost - old.units_lost},
        {COL_RECORDS_LOST, now.failed - old.failed},
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (list[i].more != 0) {
            COL_COUNT(list[i].id, list[i].more);
        }
    }
    c->counted = now;
}

/* ---- an interface ---- */

static void timer_fired(uv_timer_t *timer);

/* Wakes when the next flow is due, but not before `floor_ms`; not at all without flows.
 */
static void arm_timer(struct capture *c, int64_t floor_ms)
{
    int64_t due = col_inspect_deadline(c->inspector);
    if (due == INT64_MAX || uv_is_active((uv_handle_t *)&c->timer)) {
        return;
    }
    int64_t wait_ms = due / HD_NS_PER_MS - hd_clock_wall_ns() / HD_NS_PER_MS;
    wait_ms = wait_ms < floor_ms ? floor_ms : wait_ms;
    wait_ms = wait_ms > TIMER_CEIL_MS ? TIMER_CEIL_MS : wait_ms;
    (void)uv_timer_start(&c->timer, timer_fired, (uint64_t)wait_ms, 0);
}

static void device_freed(void *ctx)
{
    struct device *device = ctx;
    pcap_close(device->pcap);
    free(device);
}

/* libpcap counts in 32 bits. */
static uint64_t device_dropped(struct device *device)
{
    struct pcap_stat stat = {0};
    if (pcap_stats(device->pcap, &stat) == 0) {
        uint32_t more = stat.ps_drop - (uint32_t)device->dropped;
        const struct capture *c = device->capture;
        device->dropped += more;
        COL_COUNT(COL_PACKETS_DROPPED, more);
        c->env->sink->lost(c->env->sink->ctx, &c->batch_source, HD_LOSS_PACKETS, more, 0);
    }
    return device->dropped;
}

/* The device frees itself; the capture knows it no more. */
static void device_close(struct capture *c, struct device *device)
{
    c->device = c->device == device ? NULL : c->device;
    c->kernel_dropped += device_dropped(device);
    COL_COUNT(COL_PACKET_RING, -device->ring);
    hd_owner_close(&device->owner, (uv_handle_t *)&device->poll);
}

static void device_lost(struct capture *c)
{
    const char *reason = pcap_geterr(c->device->pcap);
    HD_LOG(WARN, "capture", "interface lost", HD_KV_STR("interface", c->source.name),
           HD_KV_STR("reason", reason[0] != '\0' ? reason : "it went down"));
    device_close(c, c->device);
    c->phase = PHASE_LOST;
    c->backoff = reopen_backoff;
    (void)uv_timer_stop(&c->timer);
    (void)uv_timer_start(&c->timer, timer_fired, hd_backoff_next_ms(&c->backoff), 0);
}

static void device_frame(u_char *user, const struct pcap_pkthdr *header,
                         const u_char *bytes)
{
    struct device *device = (struct device *)(void *)user;
    int64_t ns = col_capture_ns(device->pcap, header);
    if (ns > device->begins_ns || ns < device->begins_ns - HAND_OVER_NS) {
        device->last_ns = ns;
        inspect(device->capture, device->pcap, header, bytes);
    }
}

static int device_dispatch(struct device *device)
{
    return pcap_dispatch(device->pcap, FRAMES_PER_TURN, device_frame,
                         (u_char *)(void *)device);
}

/* What the old ring holds is looked at first; the new one goes on after its last frame.
 */
static void hand_over(struct device *old, struct device *young)
{
    int64_t until_ns = hd_clock_wall_ns();
    while (device_dispatch(old) > 0 && old->last_ns < until_ns) {
    }
    young->begins_ns = old->last_ns;
}

static int device_open(struct capture *c, uint64_t ring, char why[256]);

static void grow_ring(struct capture *c)
{
    char why[256] = "";
    struct device *old = c->device;
    uint64_t ring = 2 * old->ring < c->ring_max ? 2 * old->ring : c->ring_max;
    if (device_open(c, ring, why) != HD_OK) {
        HD_LOG(WARN, "capture", "packets are dropped, and a larger ring cannot be had",
               HD_KV_STR("interface", c->source.name), HD_KV_UINT("bytes", ring),
               HD_KV_STR("why", why));
        c->device = old;
        c->ring_max = old->ring;
        return;
    }
    HD_LOG(INFO, "capture", "packets were dropped: the ring is larger now",
           HD_KV_STR("interface", c->source.name), HD_KV_UINT("bytes", ring));
    hand_over(old, c->device);
    device_close(c, old);
}

static void device_readable(uv_poll_t *poll, int status, int events)
{
    struct hd_owner *owner = poll->data;
    struct capture *c = HD_CONTAINER(owner, struct device, owner)->capture;
    int got = FRAMES_PER_TURN;
    (void)events;
    for (int i = 0; i < TURNS_PER_WAKE && got == FRAMES_PER_TURN && !is_stalled(c); i++) {
        got = device_dispatch(c->device);
    }
    count(c);
    /* The kernel reports once that an interface went down, and nothing when it goes away
     * afterwards: opening it again is what tells. */
    if (got < 0 || status < 0) {
        device_lost(c);
        return;
    }
    if (is_stalled(c)) {
        (void)uv_poll_stop(poll);
    } else if (device_dropped(c->device) > 0 && c->device->ring < c->ring_max) {
        grow_ring(c);
    }
    arm_timer(c, TIMER_FLOOR_MS);
}

static int device_watch(struct device *device)
{
    return hd_err_from_uv(uv_poll_start(&device->poll, UV_READABLE, device_readable));
}

static int device_open(struct capture *c, uint64_t ring, char why[256])
{
    struct device *device = calloc(1, sizeof(*device));
    if (device == NULL) {
        (void)snprintf(why, 256, "out of memory");
        return HD_ENOMEM;
    }
    int err = col_capture_open_interface(c->conf, ring, &device->pcap, why);
    if (err != HD_OK) {
        free(device);
        return err;
    }
    device->capture = c;
    device->ring = ring;
    hd_owner_init(&device->owner, device_freed, device);
    err = hd_err_from_uv(
        uv_poll_init(c->env->loop, &device->poll, pcap_get_selectable_fd(device->pcap)));
    if (err != HD_OK) {
        (void)snprintf(why, 256, "%s: %s", c->source.name, hd_err_text(err));
        pcap_close(device->pcap);
        free(device);
        return err;
    }
    hd_owner_add(&device->owner, (uv_handle_t *)&device->poll);
    COL_COUNT(COL_PACKET_RING, ring);
    c->device = device;
    c->phase = PHASE_OPEN;
    if (!is_stalled(c) && device_watch(device) != HD_OK) {
        (void)snprintf(why, 256, "%s: cannot be polled", c->source.name);
        device_close(c, device);
        return HD_EUNSUPPORTED;
    }
    return HD_OK;
}

static void reopen(struct capture *c)
{
    char why[256];
    if (device_open(c, c->ring_first, why) == HD_OK) {
        HD_LOG(INFO, "capture", "interface is back",
               HD_KV_STR("interface", c->source.name));
        arm_timer(c, TIMER_FLOOR_MS);
        return;
    }
    c->phase = PHASE_LOST;
    HD_LOG(DEBUG, "capture", "interface still missing", HD_KV_STR("reason", why));
    (void)uv_timer_start(&c->timer, timer_fired, hd_backoff_next_ms(&c->backoff), 0);
}

static void timer_fired(uv_timer_t *timer)
{
    struct capture *c =
        HD_CONTAINER((struct hd_owner *)timer->data, struct capture, owner);
    unsigned ended = 0;
    if (!is_stalled(c)) {
        ended = col_inspect_tick(c->inspector, hd_clock_wall_ns(), FLOWS_PER_TURN);
        count(c);
    }
    if (c->phase == PHASE_LOST) {
        reopen(c);
    } else {
        arm_timer(c, ended == FLOWS_PER_TURN ? 1 : TIMER_FLOOR_MS);
    }
}

/* ---- a file ---- */

static void file_frame(u_char *user, const struct pcap_pkthdr *header,
                       const u_char *bytes)
{
    struct capture *c = (struct capture *)(void *)user;
    inspect(c, c->file, header, bytes);
}

/* A file is read once: its mark is what it looked like when all of it was delivered. */
static bool file_mark(const struct capture *c, char key[32], char mark[64])
{
    struct stat st;
    if (stat(c->conf->file, &st) != 0) {
        return false;
    }
    (void)snprintf(key, 32, "capture:%016llx",
                   (unsigned long long)hd_hash_stable(hd_slice_str(c->conf->file), 0));
    (void)snprintf(mark, 64, "%lld %lld.%09ld", (long long)st.st_size,
                   (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return true;
}

static bool file_was_read(const struct capture *c)
{
    char key[32];
    char mark[64];
    const struct col_sink *sink = c->env->sink;
    return sink->last_mark != NULL && file_mark(c, key, mark) &&
           hd_slice_eq(sink->last_mark(sink->ctx, hd_slice_str(key)), hd_slice_str(mark));
}

static void file_ended(struct capture *c)
{
    char key[32];
    char mark[64];
    const struct col_sink *sink = c->env->sink;
    c->phase = PHASE_ENDED;
    (void)uv_idle_stop(&c->idle);
    if (sink->mark != NULL && file_mark(c, key, mark)) {
        sink->mark(sink->ctx, hd_slice_str(key), hd_slice_str(mark));
    }
    HD_LOG(INFO, "capture", "file read", HD_KV_STR("file", c->source.name),
           HD_KV_UINT("records", c->lines));
    if (c->env->at_end != NULL) {
        c->env->at_end(c->env->ctx);
    }
}

static void file_step(uv_idle_t *idle)
{
    struct capture *c =
        HD_CONTAINER((struct hd_owner *)idle->data, struct capture, owner);
    if (c->phase == PHASE_OPEN) {
        int got =
            pcap_dispatch(c->file, FRAMES_PER_TURN, file_frame, (u_char *)(void *)c);
        if (got < 0) {
            HD_LOG(WARN, "capture", "file is damaged; what comes before was read",
                   HD_KV_STR("file", c->source.name),
                   HD_KV_STR("reason", pcap_geterr(c->file)));
        }
        if (got <= 0) {
            c->phase = PHASE_ENDS;
        }
    } else if (col_inspect_flush(c->inspector, FLOWS_PER_TURN) == 0) {
        file_ended(c);
        return;
    }
    count(c);
    if (is_stalled(c)) {
        (void)uv_idle_stop(idle);
    }
}

/* ---- the source ---- */

static void go_on(struct capture *c)
{
    if (is_stalled(c)) {
        return;
    }
    if (c->conf->file != NULL && c->phase != PHASE_ENDED) {
        (void)uv_idle_start(&c->idle, file_step);
    } else if (c->device != NULL && device_watch(c->device) != HD_OK) {
        device_lost(c);
    }
}

static void capture_pause(struct col_source *source)
{
    struct capture *c = capture_of(source);
    c->is_paused = true;
    (void)uv_idle_stop(&c->idle);
    if (c->device != NULL) {
        (void)uv_poll_stop(&c->device->poll);
    }
}

static void capture_resume(struct col_source *source)
{
    struct capture *c = capture_of(source);
    c->is_paused = false;
    if (empty_outbox(c)) {
        go_on(c);
    }
}

static void capture_stats(const struct col_source *source, struct col_source_stats *out)
{
    static const char *const names[] = {[PHASE_OPEN] = "open",
                                        [PHASE_LOST] = "waiting for the interface",
                                        [PHASE_ENDS] = "open",
                                        [PHASE_ENDED] = "read to its end"};
    const struct capture *c = (const struct capture *)(const void *)source;
    *out = (struct col_source_stats){.lines = c->lines, .bytes = c->bytes};
    out->dropped = c->dropped + c->kernel_dropped;
    if (c->device != NULL) {
        out->dropped += device_dropped(c->device);
    }
    out->state = is_stalled(c) ? "paused" : names[c->phase];
}

static void capture_freed(void *ctx)
{
    struct capture *c = ctx;
    void (*closed)(void *) = c->closed;
    void *closed_ctx = c->closed_ctx;
    if (c->file != NULL) {
        pcap_close(c->file);
    }
    col_inspector_free(c->inspector);
    hd_buf_fini(&c->outbox);
    free(c->source.name);
    free(c);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void shut(struct capture *c)
{
    if (c->device != NULL) {
        device_close(c, c->device);
    }
    hd_owner_close(&c->owner, (uv_handle_t *)&c->idle);
    hd_owner_close(&c->owner, (uv_handle_t *)&c->timer);
}

static void capture_close(struct col_source *source, void (*closed)(void *ctx), void *ctx)
{
    struct capture *c = capture_of(source);
    c->closed = closed;
    c->closed_ctx = ctx;
    (void)empty_outbox(c);
    while (col_inspect_flush(c->inspector, FLOWS_PER_TURN) > 0) {
    }
    count(c);
    if (!empty_outbox(c)) {
        HD_LOG(WARN, "capture", "the last records are lost: the spool is full",
               HD_KV_STR("source", c->source.name),
               HD_KV_UINT("bytes", c->outbox.len - c->outbox_at));
    }
    shut(c);
}

static const struct col_source_ops capture_ops = {
    .kind = "packet",
    .pause = capture_pause,
    .resume = capture_resume,
    .stats = capture_stats,
    .close = capture_close,
};

static int start(struct capture *c, char why[256])
{
    if (c->conf->file == NULL) {
        return device_open(c, c->ring_first, why);
    }
    if (file_was_read(c)) {
        HD_LOG(INFO, "capture", "file was read before",
               HD_KV_STR("file", c->source.name));
        c->phase = PHASE_ENDS;
        go_on(c);
        return HD_OK;
    }
    int err = col_capture_open_file(c->conf, &c->file, why);
    if (err == HD_OK) {
        go_on(c);
    }
    return err;
}

static void add_handles(struct capture *c)
{
    hd_owner_init(&c->owner, capture_freed, c);
    (void)uv_timer_init(c->env->loop, &c->timer); /* neither can fail */
    hd_owner_add(&c->owner, (uv_handle_t *)&c->timer);
    (void)uv_idle_init(c->env->loop, &c->idle);
    hd_owner_add(&c->owner, (uv_handle_t *)&c->idle);
}

static int make_inspector(struct capture *c)
{
    struct col_inspect_opts opts = {
        .flows_max = (uint32_t)c->conf->flows_max,
        .interface = c->conf->file == NULL ? c->source.name : NULL,
        .emit = record,
        .ctx = c,
    };
    return col_inspector_new(&opts, &c->inspector);
}

int col_capture_open(const struct col_source_env *env, const struct col_conf_source *conf,
                     struct col_source **out, char why[256])
{
    const struct col_conf_packet *packet = &conf->packet;
    struct capture *c = calloc(1, sizeof(*c));
    *out = NULL;
    if (c == NULL) {
        (void)snprintf(why, 256, "out of memory");
        return HD_ENOMEM;
    }
    c->env = env;
    c->conf = packet;
    c->source.ops = &capture_ops;
    c->source.name = hd_slice_dup(
        hd_slice_str(packet->file != NULL ? packet->file : packet->interface));
    hd_buf_init(&c->outbox, OUTBOX_MAX);
    c->ring_max = packet->buffer;
    c->ring_first = packet->buffer < RING_FIRST ? packet->buffer : RING_FIRST;
    int err = c->source.name == NULL ? HD_ENOMEM : make_inspector(c);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "packet capture: %s", hd_err_text(err));
        capture_freed(c);
        return err;
    }
    c->batch_source = (struct hd_batch_source){.host = env->host,
                                               .kind = HD_SLICE("packet"),
                                               .name = hd_slice_str(c->source.name),
                                               .format = HD_SLICE("haidang-packet")};
    add_handles(c);
    err = start(c, why);
    if (err != HD_OK) {
        shut(c); /* frees it when the loop runs */
        return err;
    }
    *out = &c->source;
    return HD_OK;
}
