/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/losses/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/log.h>

#include "correlator/losses/day.h"
#include "correlator/metrics.h"
#include "correlator/state/recent.h"

#define REMEMBERED 65536U /* newest losses that are known again after a restart */
#define RING       1024U
#define LEVEL      1
#define ENTRY_MAX  ((size_t)512 << 10) /* text of one entry */
#define TEXT_MAX   ((size_t)64 << 20)  /* not yet durable */

struct cor_losses {
    struct hd_journal *journal;
    char *dir;
    const struct hd_journal_keys *keys;
    struct cor_recent *known;
    struct hd_loss_tally *tally;
    struct hd_ring *ring;
    struct hd_buf text;        /* lines that are not durable yet */
    struct hd_buf frame;       /* scratch */
    int64_t first_ns, last_ns; /* of what is in `text` */
    uint64_t taken;            /* from the ring */
    _Atomic uint64_t durable;  /* of these */
    uint64_t told;             /* of the loop thread */
    struct cor_day day;
};

static void show_size(const struct cor_losses *l)
{
    COR_GAUGE(COR_M_LOSSES_BYTES, hd_journal_bytes(l->journal));
    COR_GAUGE(COR_M_REMOVED_LOSSES, hd_journal_removed_bytes(l->journal));
}

/* ---- life ---- */

static void note_known(struct cor_losses *l, const struct hd_loss *loss);

static void seed(void *ctx, const struct hd_loss *loss)
{
    struct cor_losses *l = ctx;
    note_known(l, loss);
    cor_day_add(&l->day, loss->kind, loss->last_ns, loss->count);
}

static int make_parts(struct cor_losses *l, const char *dir)
{
    hd_buf_init(&l->text, TEXT_MAX);
    hd_buf_init(&l->frame, 0);
    l->dir = strdup(dir);
    int err = l->dir == NULL ? HD_ENOMEM : cor_recent_new(REMEMBERED, &l->known);
    err = err != HD_OK ? err : hd_loss_tally_new(&l->tally);
    return err != HD_OK ? err : hd_ring_new(RING, &l->ring);
}

int cor_losses_open(const struct hd_journal_opts *opts, struct cor_losses **out,
                    char why[256])
{
    struct hd_journal_recovery found = {0};
    struct cor_losses *l = calloc(1, sizeof(*l));
    int err = l == NULL ? HD_ENOMEM : make_parts(l, opts->dir);
    if (err == HD_OK) {
        l->keys = opts->keys;
    }
    err = err != HD_OK ? err : hd_journal_open(opts, &l->journal, &found);
    err = err != HD_OK ? err : cor_losses_each(l, seed, l);
    if (err != HD_OK) {
        cor_losses_free(l);
        (void)snprintf(why, 256, "the loss ledger in %s cannot be opened: %s", opts->dir,
                       err == HD_EBUSY ? "another correlator is using it"
                                       : hd_err_text(err));
        return err;
    }
    if (found.torn_bytes > 0) {
        HD_LOG(WARN, "losses", "the loss ledger's end was torn by a crash and cut",
               HD_KV_UINT("bytes", found.torn_bytes), HD_KV_STR("file", found.torn_file));
    }
    show_size(l);
    *out = l;
    return HD_OK;
}

void cor_losses_free(struct cor_losses *l)
{
    if (l == NULL) {
        return;
    }
    hd_journal_close(l->journal);
    hd_ring_free(l->ring, free);
    hd_loss_tally_free(l->tally);
    cor_recent_free(l->known);
    hd_buf_fini(&l->text);
    hd_buf_fini(&l->frame);
    free(l->dir);
    free(l);
}

/* ---- reading what is there ---- */

static void read_lines(struct hd_slice text,
                       void (*each)(void *ctx, const struct hd_loss *loss), void *ctx)
{
    struct hd_slice line;
    while (hd_slice_split(&text, '\n', &line)) {
        struct hd_loss loss;
        if (line.len > 0 && hd_loss_decode(line, &loss) == HD_OK) {
            each(ctx, &loss);
        }
    }
}

static int read_entry(struct cor_losses *l, const struct hd_journal_entry *entry,
                      void (*each)(void *ctx, const struct hd_loss *loss), void *ctx)
{
    hd_buf_clear(&l->frame);
    size_t cap = ENTRY_MAX + HD_LOSS_LINE_MAX;
    uint8_t *room = hd_buf_reserve(&l->frame, cap);
    if (room == NULL) {
        return HD_ENOMEM;
    }
    size_t len = ZSTD_decompress(room, cap, entry->payload.ptr, entry->payload.len);
    if (ZSTD_isError(len)) {
        HD_LOG(WARN, "losses", "an entry of the loss ledger cannot be read; passed over",
               HD_KV_UINT("entry", entry->index));
        return HD_OK;
    }
    read_lines(hd_slice(room, len), each, ctx);
    return HD_OK;
}

int cor_losses_each(struct cor_losses *l,
                    void (*each)(void *ctx, const struct hd_loss *loss), void *ctx)
{
    struct hd_journal_reader *reader;
    int err = hd_journal_reader_open(l->dir, NULL, &reader);
    if (err != HD_OK) {
        return err;
    }
    hd_journal_reader_use_keys(reader, l->keys);
    uint64_t next = hd_journal_next_index(l->journal);
    if (next > REMEMBERED) {
        /* When that place is gone the reader stays at the oldest there is. */
        (void)!hd_journal_reader_seek(
            reader, &(struct hd_journal_cursor){.index = next - REMEMBERED});
    }
    struct hd_journal_entry entry;
    while ((err = hd_journal_reader_next(reader, &entry)) != HD_EAGAIN) {
        err = err == HD_OK ? read_entry(l, &entry, each, ctx) : err;
        if (err != HD_OK && err != HD_ECORRUPT && err != HD_ENOENT) {
            break;
        }
    }
    hd_journal_reader_close(reader);
    return err == HD_EAGAIN ? HD_OK : err;
}

/* ---- what is there once ---- */

/* Empty: it does not say where. */
static int identify(const struct hd_loss *loss, char id[37])
{
    id[0] = '\0';
    return loss->at[0] == '\0' ? HD_OK
                               : hd_alert_id(hd_slice_str(hd_loss_name(loss->kind)),
                                             HD_SLICE_EMPTY, hd_slice_str(loss->at), id);
}

static void note_known(struct cor_losses *l, const struct hd_loss *loss)
{
    char id[37];
    if (identify(loss, id) == HD_OK && id[0] != '\0' &&
        cor_recent_add(l->known, id) != HD_OK) {
        HD_LOG(WARN, "losses", "out of memory: a loss may be written down twice",
               HD_KV_STR("at", loss->at));
    }
}

/* ---- writing ---- */

static void not_told(const struct hd_loss *loss, int err)
{
    COR_COUNT(COR_M_LOSSES_UNTOLD, 1);
    HD_LOG(ERROR, "losses", "a loss could not be written down",
           HD_KV_STR("kind", hd_loss_name(loss->kind)), HD_KV_STR("agent", loss->agent),
           HD_KV_UINT("count", loss->count), HD_KV_ERR(err));
}

int cor_losses_add(struct cor_losses *l, const struct hd_loss *loss)
{
    char id[37];
    size_t before = l->text.len;
    int err = identify(loss, id);
    if (err != HD_OK || cor_recent_has(l->known, id)) {
        return err;
    }
    err = hd_loss_encode(loss, &l->text);
    if (err != HD_OK) {
        l->text.len = before;
        l->text.err = HD_OK;
        return err;
    }
    l->first_ns =
        before == 0 || loss->first_ns < l->first_ns ? loss->first_ns : l->first_ns;
    l->last_ns = before == 0 || loss->last_ns > l->last_ns ? loss->last_ns : l->last_ns;
    note_known(l, loss);
    cor_day_add(&l->day, loss->kind, loss->last_ns, loss->count);
    COR_COUNT(COR_M_LOSSES, 1);
    return HD_OK;
}

void cor_losses_add_all(struct cor_losses *l, const struct cor_loss *list,
                        bool (*wait)(void *ctx), void *ctx)
{
    for (const struct cor_loss *at = list; l != NULL && at != NULL; at = at->next) {
        int err = cor_losses_add(l, &at->loss);
        while (err == HD_ENOMEM && wait(ctx)) {
            err = cor_losses_add(l, &at->loss);
        }
        if (err != HD_OK && err != HD_ENOMEM) {
            not_told(&at->loss, err);
        }
    }
}

void cor_losses_note(struct cor_losses *l, enum hd_loss_kind kind, struct hd_slice agent,
                     uint64_t count)
{
    int64_t now_ns = hd_clock_wall_ns();
    struct hd_loss loss = {.kind = kind,
                           .time_ns = now_ns,
                           .first_ns = now_ns,
                           .last_ns = now_ns,
                           .count = count,
                           .by = "correlator"};
    if (l != NULL && count > 0) {
        HD_LOSS_SET(loss.agent, agent);
        hd_loss_tally_add(l->tally, &loss);
    }
}

/* Whole lines, as many as an entry holds; at least one. */
static struct hd_slice chunk(struct hd_slice text, uint32_t *lines)
{
    size_t len = 0;
    *lines = 0;
    while (len < text.len && len < ENTRY_MAX) {
        len += hd_slice_find_byte(hd_slice_from(text, len), '\n') + 1;
        ++*lines;
    }
    return hd_slice_head(text, len);
}

static int append(struct cor_losses *l, struct hd_slice text, uint32_t lines)
{
    size_t bound = ZSTD_compressBound(text.len);
    hd_buf_clear(&l->frame);
    uint8_t *room = hd_buf_reserve(&l->frame, bound);
    if (room == NULL) {
        return HD_ENOMEM;
    }
    size_t len = ZSTD_compress(room, bound, text.ptr, text.len, LEVEL);
    if (ZSTD_isError(len)) {
        return HD_ENOMEM;
    }
    uint64_t number = hd_journal_next_index(l->journal);
    struct hd_journal_entry entry = {.first = number,
                                     .last = number,
                                     .time_min = l->first_ns,
                                     .time_max = l->last_ns,
                                     .count = lines,
                                     .raw_len = (uint32_t)text.len,
                                     .payload = hd_slice(room, len)};
    return hd_journal_append(l->journal, &entry);
}

int cor_losses_flush(struct cor_losses *l)
{
    if (l == NULL || (l->text.len == 0 && l->taken == atomic_load(&l->durable))) {
        return HD_OK;
    }
    size_t appended = 0;
    int err = HD_OK;
    while (err == HD_OK && appended < l->text.len) {
        uint32_t lines;
        struct hd_slice part =
            chunk(hd_slice_from(hd_buf_slice(&l->text), appended), &lines);
        err = append(l, part, lines);
        appended += err == HD_OK ? part.len : 0;
    }
    /* A commit that fails takes back what was appended since the last good one. */
    int synced = hd_journal_commit(l->journal);
    show_size(l);
    if (synced == HD_OK) {
        hd_buf_consume(&l->text, appended);
    }
    if (l->text.len == 0) {
        atomic_store(&l->durable, l->taken);
    }
    err = err != HD_OK ? err : synced;
    COR_COUNT(COR_M_LOSS_WAITS, err != HD_OK);
    return err;
}

int cor_losses_settle(struct cor_losses *l)
{
    const struct hd_loss *noted;
    while (l != NULL && (noted = hd_loss_tally_first(l->tally)) != NULL) {
        int err = cor_losses_add(l, noted);
        if (err != HD_OK) {
            return err;
        }
        hd_loss_tally_drop_first(l->tally);
    }
    return cor_losses_flush(l);
}

/* ---- from the loop thread ---- */

struct hd_ring *cor_losses_ring(struct cor_losses *l)
{
    return l->ring;
}

void cor_losses_tell(struct cor_losses *l, const struct hd_loss *loss)
{
    if (l == NULL) {
        return;
    }
    struct cor_loss *copy = malloc(sizeof(*copy));
    int err = HD_ENOMEM;
    if (copy != NULL) {
        *copy = (struct cor_loss){.loss = *loss};
        l->told++;
        err = hd_ring_push(l->ring, copy);
    }
    if (err != HD_OK) {
        l->told -= copy != NULL;
        free(copy);
        not_told(loss, err);
    }
}

void cor_losses_take(struct cor_losses *l)
{
    struct cor_loss *told;
    while ((told = hd_ring_pop(l->ring)) != NULL) {
        int err = cor_losses_add(l, &told->loss);
        if (err != HD_OK) {
            not_told(&told->loss, err);
        }
        l->taken++;
        free(told);
    }
}

bool cor_losses_is_settled(const struct cor_losses *l)
{
    return l == NULL || atomic_load(&l->durable) == l->told;
}

uint64_t cor_losses_of_day(const struct cor_losses *l, enum hd_loss_kind kind)
{
    return cor_day_sum(&l->day, kind, hd_clock_wall_ns());
}
