/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <stdio.h>

#include <haidang/archive_meta.h>
#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "tests/crash/survive.h"

#define BOOT     "0123456789abcdef0123456789abcdef"
#define BEGIN_NS (INT64_C(1760000000) * HD_NS_PER_SEC)
#define QUICK    6 /* times as fast are the events of some worlds */

/* ---- the archive ---- */

struct writer {
    struct chance chance;
    struct hd_journal *journal;
    int64_t now_ns;
    int64_t ms_ns; /* how long a millisecond takes */
    uint64_t seq[2];
};

static size_t line(struct writer *wr, int64_t time_ns, char text[256])
{
    char time[HD_RFC3339_LEN + 1], src[32] = "", user[32] = "";
    struct chance *c = &wr->chance;
    (void)hd_clock_format_rfc3339(time_ns, 6, time);
    if (!chance_one_in(c, 8)) {
        (void)snprintf(src, sizeof(src), ",\"src\":\"s%u\"", chance_below(c, 3));
    }
    if (!chance_one_in(c, 8)) {
        (void)snprintf(user, sizeof(user), ",\"user\":\"u%u\"", chance_below(c, 4));
    }
    return (size_t)snprintf(text, 256,
                            "{\"ts\":\"%s\",\"kind\":\"k%u\",\"n\":\"%d\"%s%s}", time,
                            chance_below(c, 6), (int)chance_below(c, 5) - 1, src, user);
}

/* Most events in order, some late but in time, a few too late, a few ahead of the clock.
 */
static void add_event(struct writer *wr, struct hd_batch_builder *b, uint16_t source)
{
    struct chance *c = &wr->chance;
    char text[256];
    wr->now_ns += (int64_t)chance_below(c, chance_one_in(c, 12) ? 30000 : 2500) *
                  wr->ms_ns * chance_below(c, 2);
    int64_t time_ns = wr->now_ns, recv_ns = wr->now_ns;
    switch (chance_below(c, 16)) {
    case 0:
    case 1:
        time_ns -= (int64_t)chance_below(c, 10) * HD_NS_PER_SEC;
        break;
    case 2:
        time_ns -= (int64_t)chance_below(c, 40) * HD_NS_PER_SEC;
        break;
    case 3:
        time_ns += (int64_t)chance_below(c, 20) * HD_NS_PER_SEC;
        recv_ns += chance_one_in(c, 2) ? 20 * HD_NS_PER_SEC : 0;
        break;
    default:
        break;
    }
    size_t len = line(wr, time_ns, text);
    assert_int_equal(hd_batch_builder_add(b, source, recv_ns, 0, hd_slice(text, len)),
                     HD_OK);
}

static void append(struct writer *wr, const char *agent, struct hd_slice payload,
                   const struct hd_batch_info *info)
{
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta,
                           &(struct hd_archive_meta){.agent = hd_slice_str(agent),
                                                     .boot = HD_SLICE(BOOT),
                                                     .peer = HD_SLICE("192.0.2.1:1"),
                                                     .taken_ns = wr->now_ns});
    struct hd_journal_entry entry = {.first = info->first,
                                     .last = info->last,
                                     .time_min = info->time_min,
                                     .time_max = info->time_max,
                                     .count = info->count,
                                     .raw_len = info->raw_len,
                                     .meta = hd_buf_slice(&meta),
                                     .payload = payload};
    assert_int_equal(hd_journal_append(wr->journal, &entry), HD_OK);
    hd_buf_fini(&meta);
}

static void add_batch(struct writer *wr)
{
    static const char *const agents[] = {"web1", "web2"};
    const struct hd_batch_source source = {.host = HD_SLICE("web"),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("/var/log/x.json"),
                                           .format = HD_SLICE("declared-json")};
    unsigned who = chance_below(&wr->chance, 2);
    struct hd_batch_builder *b;
    struct hd_batch_info info;
    struct hd_slice frame;
    uint16_t index;
    assert_int_equal(hd_batch_builder_new(agents[who], BOOT, 64U << 10, 1, &b), HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &source, &index), HD_OK);
    unsigned n = 1 + chance_below(&wr->chance, SURVIVE_BATCH_MAX);
    for (unsigned i = 0; i < n; i++) {
        add_event(wr, b, index);
    }
    assert_int_equal(hd_batch_builder_close(b, wr->seq[who] + 1, &frame, &info), HD_OK);
    wr->seq[who] += n;
    append(wr, agents[who], frame, &info);
    hd_batch_builder_free(b);
}

static void write_archive(const struct survive_world *w)
{
    struct writer wr = {.chance = {w->seed ^ 0xa5a5},
                        .now_ns = BEGIN_NS,
                        .ms_ns = HD_NS_PER_MS / (w->is_quick ? QUICK : 1)};
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {.dir = w->archive};
    assert_int_equal(hd_journal_open(&opts, &wr.journal, &found), HD_OK);
    for (unsigned i = 0; i < SURVIVE_BATCHES; i++) {
        add_batch(&wr);
    }
    assert_int_equal(hd_journal_commit(wr.journal), HD_OK);
    hd_journal_close(wr.journal);
}

/* ---- rules ---- */

static void on_diag(void *ctx, const struct hd_diag *diag)
{
    (void)ctx;
    if (diag->level == HD_DIAG_ERROR) {
        hd_diag_print(stderr, diag);
    }
}

static struct rul_set *load(const struct survive_world *w, struct survive_set which)
{
    struct rul_set *set = NULL;
    struct hd_diags diags = {.emit = on_diag};
    const struct rul_logsource declared = {.product = HD_SLICE("survive")};
    const char *paths[] = {w->rules};
    const struct rul_set_opts opts = {.rules = paths,
                                      .n_rules = 1,
                                      .time_zone = "UTC",
                                      .declared = &declared,
                                      .n_declared = 1,
                                      .no_self_test = true};
    struct hd_buf text;
    hd_buf_init(&text, 0);
    survive_rules(w->seed, which, &text);
    assert_int_equal(text.err, 0);
    assert_int_equal(hd_fs_write_atomic(w->rules, hd_buf_slice(&text), 0600), HD_OK);
    int err = rul_set_load(&opts, &set, &diags);
    if (err != HD_OK) {
        (void)fprintf(stderr, "%.*s", (int)text.len, (const char *)text.ptr);
    }
    assert_int_equal(err, HD_OK);
    hd_buf_fini(&text);
    return set;
}

/* In most worlds there is room for everything. In others groups have to go, and which
 * ones is to be the same whatever happens: each rule's share is small, or all of it. */
static void choose_limits(struct chance *c, struct survive_world *w)
{
    struct rul_correlator_opts *correlate = &w->opts.correlate;
    w->is_alone = chance_one_in(c, 2);
    switch (chance_below(c, 4)) {
    case 0:
        correlate->rule_max = 400 + chance_below(c, 1600);
        break;
    case 1:
        correlate->memory_max = 1500 + chance_below(c, 6000);
        correlate->rule_max = correlate->memory_max;
        w->is_alone = true;
        break;
    default:
        break;
    }
    if (chance_one_in(c, 4)) {
        w->opts.suppress.entries = 2 + chance_below(c, 10);
        w->is_alone = true;
    }
}

void survive_world_make(uint64_t seed, const char *dir, struct survive_world *w)
{
    struct chance c = {seed ^ 0x5a5a};
    struct hd_diags diags = {0};
    *w = (struct survive_world){.seed = seed, .is_quick = chance_one_in(&c, 2)};
    (void)snprintf(w->archive, sizeof(w->archive), "%s/archive", dir);
    (void)snprintf(w->rules, sizeof(w->rules), "%s/rules.yml", dir);
    w->opts = (struct cor_state_opts){
        .remember = chance_one_in(&c, 2) ? SURVIVE_ALERTS : SURVIVE_FEW_ALERTS,
        .noise = {.throttle = chance_below(&c, 6)},
        .suppress = {.entries = 1024},
        .correlate = {.memory_max = 8U << 20,
                      .lateness_ns = (w->is_quick ? 2 : 10) * HD_NS_PER_SEC},
        .archive_dir = w->archive,
        .detectors = 1};
    for (unsigned i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        w->opts.suppress.window_ns[i] = (int64_t)chance_below(&c, 3) * 10 * HD_NS_PER_SEC;
    }
    choose_limits(&c, w);
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &w->enrich, &diags),
                     HD_OK);
    survive_wipe(w->archive);
    write_archive(w);
    w->era_begins = 2 + chance_below(&c, SURVIVE_BATCHES - 2);
    for (unsigned i = 0; i < SURVIVE_ERAS * SURVIVE_SETS; i++) {
        const struct survive_set which = {i / SURVIVE_SETS, i % SURVIVE_SETS};
        w->sets[which.era][which.other] = load(w, which);
    }
}

void survive_world_end(struct survive_world *w)
{
    for (unsigned i = 0; i < SURVIVE_ERAS * SURVIVE_SETS; i++) {
        rul_set_unref(w->sets[i / SURVIVE_SETS][i % SURVIVE_SETS]);
    }
    cor_enrich_unref(w->enrich);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void survive_wipe(const char *dir)
{
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
