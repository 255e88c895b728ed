/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/stores/stores.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/metrics.h"

#define TEXT_MAX 128

static const char *const names[COR_STORES] = {"archive", "alerts", "losses"};
static const char *const state_names[] = {"ok", "warning", "alarm"};

int cor_disk_of(const char *dir, struct cor_disk *out)
{
    struct stat st;
    struct statvfs disk;
    if (stat(dir, &st) != 0 || statvfs(dir, &disk) != 0) {
        return hd_err_from_errno(errno);
    }
    *out = (struct cor_disk){.device = st.st_dev,
                             .used =
                                 (uint64_t)(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
                             .free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize};
    return HD_OK;
}

/* ---- what there is to look at ---- */

static struct cor_store_part *add_part(struct cor_stores *s, enum cor_store store)
{
    struct cor_store_part *part = &s->parts[s->n++];
    *part = (struct cor_store_part){.store = store};
    hd_fill_init(&part->fill, s->opts.warning, s->opts.alarm);
    return part;
}

static void add_disk(struct cor_stores *s, enum cor_store store,
                     const dev_t devices[COR_STORES])
{
    for (unsigned i = 0; i < store; i++) {
        if (devices[i] == devices[store]) {
            return; /* it came with that one */
        }
    }
    struct cor_store_part *part = add_part(s, store);
    part->is_disk = true;
    struct hd_buf name = hd_buf_fixed(part->name, sizeof(part->name));
    hd_buf_printf(&name, "disk of %s", names[store]);
    for (unsigned i = store + 1U; i < COR_STORES; i++) {
        if (devices[i] == devices[store]) {
            hd_buf_printf(&name, ", %s", names[i]);
        }
    }
    (void)hd_buf_cstr(&name);
}

void cor_stores_init(struct cor_stores *s, const struct cor_stores_opts *opts)
{
    dev_t devices[COR_STORES] = {0};
    *s = (struct cor_stores){.opts = *opts};
    for (unsigned i = 0; i < COR_STORES; i++) {
        struct cor_disk disk = {0};
        devices[i] =
            opts->disk_of(opts->journals[i].dir, &disk) == HD_OK ? disk.device : 0;
    }
    for (unsigned i = 0; i < COR_STORES; i++) {
        if (opts->journals[i].max_bytes > 0) {
            struct cor_store_part *part = add_part(s, (enum cor_store)i);
            (void)snprintf(part->name, sizeof(part->name), "%s", names[i]);
        }
        add_disk(s, (enum cor_store)i, devices);
    }
}

/* ---- telling ---- */

static void say_change(const struct cor_store_part *part, enum hd_fill_state was)
{
    char text[TEXT_MAX];
    struct hd_buf how = hd_buf_fixed(text, sizeof(text));
    hd_fill_text(&part->fill, &how);
    if (part->fill.state == HD_FILL_ALARM) {
        HD_LOG(ERROR, "stores", "a store is nearly full", HD_KV_STR("what", part->name),
               HD_KV_STR("used", hd_buf_cstr(&how)));
    } else if (part->fill.state > was) {
        HD_LOG(WARN, "stores", "a store fills up", HD_KV_STR("what", part->name),
               HD_KV_STR("used", hd_buf_cstr(&how)));
    } else {
        HD_LOG(INFO, "stores", "a store has more room again",
               HD_KV_STR("what", part->name), HD_KV_STR("used", hd_buf_cstr(&how)));
    }
}

static void tell(struct cor_stores *s, struct cor_store_part *part,
                 const struct cor_times *now)
{
    static const enum cor_notice_kind kinds[] = {
        COR_NOTICE_STORE_ROOM, COR_NOTICE_STORE_WARNING, COR_NOTICE_STORE_ALARM};
    enum hd_fill_state state = part->fill.state;
    char text[TEXT_MAX];
    struct hd_buf how = hd_buf_fixed(text, sizeof(text));
    if (state == HD_FILL_WARNING && part->told == HD_FILL_ALARM) {
        part->told = state; /* down is no news before there is room */
    }
    if (state == part->told) {
        return;
    }
    hd_fill_text(&part->fill, &how);
    const struct cor_notice_facts facts = {
        .kind = kinds[state],
        .host = hd_slice_str(s->opts.host),
        .source_kind = HD_SLICE("store"),
        .source_name = hd_slice_str(part->name),
        /* no line is behind it: the time makes it another one than the last */
        .seq = (uint64_t)(now->wall_ns / HD_NS_PER_SEC),
        .last_ns = now->wall_ns,
        .now_ns = now->wall_ns,
        .measure = hd_buf_slice(&how),
        .measure_name = "used"};
    if (s->opts.tell(s->opts.ctx, &facts)) {
        part->told = state;
    }
}

/* ---- looking ---- */

/* False: it cannot be asked now. */
static bool measure(const struct cor_stores *s, const struct cor_store_part *part,
                    const uint64_t bytes[COR_STORES], struct cor_disk *out)
{
    const struct cor_store_conf *conf = &s->opts.journals[part->store];
    if (!part->is_disk) {
        uint64_t used = bytes[part->store];
        out->used = used;
        out->free_bytes = conf->max_bytes > used ? conf->max_bytes - used : 0;
        return true;
    }
    if (s->opts.disk_of(conf->dir, out) != HD_OK) {
        return false;
    }
    bool is_left = out->free_bytes > conf->reserve_bytes;
    out->free_bytes = is_left ? out->free_bytes - conf->reserve_bytes : 0;
    return true;
}

static void count(const struct cor_stores *s)
{
    static const enum cor_metrics_id gauges[COR_STORES] = {
        COR_M_FULL_ARCHIVE, COR_M_FULL_ALERTS, COR_M_FULL_LOSSES};
    unsigned disk = 0;
    int64_t soonest_s = INT64_MAX;
    for (size_t i = 0; i < s->n; i++) {
        const struct cor_store_part *part = &s->parts[i];
        unsigned percent = hd_fill_percent(&part->fill);
        int64_t left_s = hd_fill_left_s(&part->fill);
        soonest_s = left_s >= 0 && left_s < soonest_s ? left_s : soonest_s;
        if (part->is_disk) {
            disk = percent > disk ? percent : disk;
        } else {
            COR_GAUGE(gauges[part->store], percent);
        }
    }
    COR_GAUGE(COR_M_FULL_DISK, disk);
    COR_GAUGE(COR_M_FULL_HOURS, soonest_s == INT64_MAX ? 0 : soonest_s / 3600 + 1);
}

void cor_stores_look(struct cor_stores *s, const uint64_t bytes[COR_STORES],
                     const struct cor_times *now)
{
    for (size_t i = 0; i < s->n; i++) {
        struct cor_store_part *part = &s->parts[i];
        enum hd_fill_state was = part->fill.state;
        struct cor_disk found;
        if (!measure(s, part, bytes, &found)) {
            continue;
        }
        if (hd_fill_look(&part->fill, found.used, found.used + found.free_bytes,
                         now->mono_ns)) {
            say_change(part, was);
            COR_COUNT(COR_M_NEAR_FULL, part->fill.state > was);
        }
        tell(s, part, now);
    }
    count(s);
}

void cor_stores_removed(struct cor_stores *s, const uint64_t bytes[COR_STORES])
{
    for (unsigned i = 0; i < COR_STORES; i++) {
        if (bytes[i] > s->removed[i]) {
            HD_LOG(INFO, "stores", "retention has removed the oldest of a store",
                   HD_KV_STR("what", names[i]),
                   HD_KV_UINT("bytes", bytes[i] - s->removed[i]));
        }
        s->removed[i] = bytes[i];
    }
}

/* ---- showing ---- */

void cor_stores_problems(const struct cor_stores *s,
                         void (*say)(void *ctx, const char *text), void *ctx)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct cor_store_part *part = &s->parts[i];
        char text[2 * TEXT_MAX];
        struct hd_buf out = hd_buf_fixed(text, sizeof(text));
        if (part->fill.state == HD_FILL_ROOM) {
            continue;
        }
        hd_buf_printf(&out, "%s is nearly full (%s): ", part->name,
                      state_names[part->fill.state]);
        hd_fill_text(&part->fill, &out);
        say(ctx, hd_buf_cstr(&out));
    }
}

void cor_stores_json(const struct cor_stores *s, struct hd_json *j)
{
    hd_json_array(j, "stores");
    for (size_t i = 0; i < s->n; i++) {
        const struct cor_store_part *part = &s->parts[i];
        int64_t left_s = hd_fill_left_s(&part->fill);
        hd_json_object(j, NULL);
        hd_json_cstr(j, "name", part->name);
        hd_json_u64(j, "used", part->fill.used);
        hd_json_u64(j, "limit", part->fill.limit);
        hd_json_u64(j, "percent", hd_fill_percent(&part->fill));
        hd_json_cstr(j, "state", state_names[part->fill.state]);
        if (left_s >= 0) {
            hd_json_u64(j, "full_in_s", (uint64_t)left_s);
        }
        hd_json_end(j, '}');
    }
    hd_json_end(j, ']');
    hd_json_object(j, "removed_bytes");
    for (unsigned i = 0; i < COR_STORES; i++) {
        hd_json_u64(j, names[i], s->removed[i]);
    }
    hd_json_end(j, '}');
}
