/* SPDX-License-Identifier: Apache-2.0
 *
 * Receipts in a journal with a disk thread of its own. The tail that is read at start is
 * a table (destination, index, alert) -> last outcome: it answers "was this sent before
 * the crash?" for the few alerts between the saved cursor and the end, or, where a cursor
 * is old, for as many as there are.
 */
#include "forwarder/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/journal_writer.h>
#include <haidang/json.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "forwarder/frame.h"

#define WHY_MAX     256
#define RECEIPT_MAX ((size_t)64 << 10)
#define KEY_MAX     256
#define TRIM_MS     60000U /* at most; and a tenth of the age at which files are sealed */
#define TRIM_MIN_MS 10U
#define CLOCK_STEP  (2 * 86400 * HD_NS_PER_SEC) /* by which times may be wrong */

struct fwd_receipts {
    struct hd_owner owner;
    uv_timer_t timer;
    struct hd_journal_writer *writer;
    struct fwd_frame *frame;
    json_t *tail;
    char *dir;
    const struct hd_journal_keys *keys;
    uint64_t
        tail_first;  /* entry that the tail begins with; 0 = nobody was there before */
    int64_t tail_ns; /* and its time */
    struct hd_buf text, payload;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

struct pending {
    void (*durable)(void *ctx, int err);
    void *ctx;
};

static const char *const outcomes[] = {"begun",   "delivered", "retry",
                                       "stopped", "dead",      "withheld"};

const char *fwd_outcome_name(enum fwd_outcome outcome)
{
    return outcomes[outcome];
}

/* ---- the line ---- */

static void put_request(struct hd_json *j, const struct fwd_receipt *receipt)
{
    struct hd_buf hex;
    hd_buf_init(&hex, 128);
    hd_buf_hex(&hex, hd_slice(receipt->request_sha256, 32));
    hd_json_str(j, "request_sha256", hd_buf_slice(&hex));
    hd_json_u64(j, "request_bytes", receipt->request_bytes);
    hd_buf_fini(&hex);
}

int fwd_receipt_format(const struct fwd_receipt *receipt, struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_time(&j, "time", receipt->time_ns, 3);
    hd_json_cstr(&j, "destination", receipt->destination);
    hd_json_cstr(&j, "alert", receipt->alert);
    hd_json_u64(&j, "index", receipt->index);
    hd_json_cstr(&j, "outcome", fwd_outcome_name(receipt->outcome));
    hd_json_u64(&j, "attempt", receipt->attempt);
    if (receipt->is_resend) {
        hd_json_bool(&j, "resend", true);
    }
    hd_json_cstr(&j, "profile", receipt->profile);
    hd_json_cstr(&j, "schema_sha256", receipt->schema_sha256);
    if (receipt->request_sha256 != NULL) {
        put_request(&j, receipt);
    }
    if (receipt->status != 0) {
        hd_json_i64(&j, "status", receipt->status);
        hd_json_str(&j, "response", receipt->response);
    }
    if (receipt->reason != NULL) {
        hd_json_cstr(&j, "reason", receipt->reason);
    }
    if (receipt->outcome != FWD_BEGUN) {
        hd_json_u64(&j, "took_ms", receipt->took_ms);
    }
    if (receipt->wait_ms > 0) {
        hd_json_u64(&j, "wait_ms", receipt->wait_ms);
    }
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
    return out->err;
}

/* ---- the tail ---- */

/* The index tells an update from the alert that it updates, the id a new journal from an
 * old one. */
static bool tail_key(char key[KEY_MAX], const char *destination, uint64_t index,
                     const char *alert)
{
    int n = snprintf(key, KEY_MAX, "%s %llu %s", destination, (unsigned long long)index,
                     alert);
    return n > 0 && n < KEY_MAX;
}

/* Whose receipts are wanted. */
struct wanted {
    json_t *into;
    const char *destination; /* NULL: any */
    uint64_t index;          /* of an alert, and those after it */
    uint64_t end;            /* entry up to which is read; 0 = all */
};

static void tail_add(const struct wanted *wanted, struct hd_slice line)
{
    json_t *object = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    const char *destination = json_string_value(json_object_get(object, "destination"));
    const char *alert = json_string_value(json_object_get(object, "alert"));
    const char *outcome = json_string_value(json_object_get(object, "outcome"));
    uint64_t index = (uint64_t)json_integer_value(json_object_get(object, "index"));
    char key[KEY_MAX];
    bool is_wanted =
        destination != NULL && alert != NULL && outcome != NULL &&
        (wanted->destination == NULL || strcmp(destination, wanted->destination) == 0);
    if (is_wanted && tail_key(key, destination, index, alert)) {
        for (int i = 0; i <= FWD_WITHHELD; i++) {
            if (strcmp(outcome, outcomes[i]) == 0) {
                (void)json_object_set_new(wanted->into, key, json_integer(i));
            }
        }
    }
    json_decref(object);
}

static void take_entry(struct fwd_receipts *receipts, const struct wanted *wanted,
                       const struct hd_journal_entry *entry)
{
    receipts->tail_ns = receipts->tail_ns == 0 ? entry->time_min : receipts->tail_ns;
    hd_buf_clear(&receipts->text);
    if (entry->last >= wanted->index &&
        fwd_frame_unpack(receipts->frame, entry->payload, RECEIPT_MAX, &receipts->text) ==
            HD_OK) {
        tail_add(wanted, hd_buf_slice(&receipts->text));
    }
}

static int read_all(struct fwd_receipts *receipts, struct hd_journal_reader *reader,
                    const struct wanted *wanted)
{
    for (;;) {
        struct hd_journal_entry entry;
        int err = hd_journal_reader_next(reader, &entry);
        if (err == HD_EAGAIN ||
            (err == HD_OK && wanted->end > 0 && entry.index >= wanted->end)) {
            return HD_OK;
        }
        if (err == HD_ECORRUPT || err == HD_ENOENT) {
            continue; /* passed over: the worst that follows is a message sent twice */
        }
        if (err != HD_OK) {
            return err;
        }
        take_entry(receipts, wanted, &entry);
    }
}

static int reader_open(const struct fwd_receipts *receipts,
                       struct hd_journal_reader **reader)
{
    int err = hd_journal_reader_open(receipts->dir, NULL, reader);
    if (err == HD_OK) {
        hd_journal_reader_use_keys(*reader, receipts->keys);
    }
    return err;
}

static int tail_read(struct fwd_receipts *receipts, uint64_t next_index)
{
    const struct wanted wanted = {.into = receipts->tail};
    struct hd_journal_reader *reader = NULL;
    int err = reader_open(receipts, &reader);
    if (err != HD_OK) {
        return err;
    }
    receipts->tail_first = 1;
    if (next_index > FWD_RECEIPTS_TAIL) {
        const struct hd_journal_cursor cursor = {.index = next_index - FWD_RECEIPTS_TAIL};
        receipts->tail_first = cursor.index;
        err = hd_journal_reader_seek(reader, &cursor);
    }
    if (err == HD_OK || err == HD_ENOENT) {
        err = read_all(receipts, reader, &wanted);
    }
    hd_journal_reader_close(reader);
    return err;
}

int fwd_receipts_reach(struct fwd_receipts *receipts, const char *destination,
                       uint64_t index, int64_t raised_ns)
{
    struct hd_journal_reader *reader = NULL;
    int64_t from_ns = raised_ns > CLOCK_STEP ? raised_ns - CLOCK_STEP : 0;
    bool is_tail_old = receipts->tail_ns != 0 && receipts->tail_ns < from_ns;
    if (receipts->tail_first == 1 || is_tail_old) {
        return HD_OK;
    }
    const struct wanted wanted = {.into = json_object(),
                                  .destination = destination,
                                  .index = index,
                                  .end = receipts->tail_first};
    int err = wanted.into == NULL ? HD_ENOMEM : reader_open(receipts, &reader);
    err = err == HD_OK ? hd_journal_reader_seek_time(reader, from_ns) : err;
    err = err == HD_OK ? read_all(receipts, reader, &wanted) : err;
    if (err == HD_OK && json_object_update_missing(receipts->tail, wanted.into) != 0) {
        err = HD_ENOMEM; /* the tail knows better what came last */
    }
    if (reader != NULL) {
        hd_journal_reader_close(reader);
    }
    json_decref(wanted.into);
    return err;
}

int fwd_receipts_find(const struct fwd_receipts *receipts, const char *destination,
                      uint64_t index, const char *alert, enum fwd_outcome *outcome)
{
    char key[KEY_MAX];
    if (!tail_key(key, destination, index, alert)) {
        return HD_ENOENT;
    }
    const json_t *found = json_object_get(receipts->tail, key);
    if (found == NULL) {
        return HD_ENOENT;
    }
    *outcome = (enum fwd_outcome)json_integer_value(found);
    return HD_OK;
}

/* ---- the journal ---- */

static void on_durable(void *ctx, int err, uint64_t index, void *token)
{
    (void)ctx;
    (void)index;
    struct pending pending = *(struct pending *)token;
    free(token);
    pending.durable(pending.ctx, err);
}

static void receipts_free(struct fwd_receipts *receipts)
{
    fwd_frame_free(receipts->frame);
    free(receipts->dir);
    json_decref(receipts->tail);
    hd_buf_fini(&receipts->text);
    hd_buf_fini(&receipts->payload);
    free(receipts);
}

static void writer_closed(void *ctx)
{
    struct fwd_receipts *receipts = ctx;
    void (*closed)(void *ctx) = receipts->closed;
    void *closed_ctx = receipts->closed_ctx;
    receipts_free(receipts);
    if (closed != NULL) {
        closed(closed_ctx);
    }
}

static void timer_closed(void *ctx)
{
    struct fwd_receipts *receipts = ctx;
    hd_journal_writer_close(receipts->writer, writer_closed, receipts);
}

void fwd_receipts_close(struct fwd_receipts *receipts, void (*closed)(void *ctx),
                        void *ctx)
{
    receipts->closed = closed;
    receipts->closed_ctx = ctx;
    hd_owner_close(&receipts->owner, (uv_handle_t *)&receipts->timer);
}

/* Receipts that nobody adds to any more are to be sealed, too, when they are old. */
static void on_timer(uv_timer_t *timer)
{
    const struct fwd_receipts *receipts = HD_CONTAINER(timer, struct fwd_receipts, timer);
    hd_journal_writer_trim(receipts->writer);
}

static void timer_start(struct fwd_receipts *receipts,
                        const struct fwd_receipts_opts *opts)
{
    uint64_t every = (uint64_t)(opts->journal.segment_ns / HD_NS_PER_MS) / 10;
    every = every == 0 || every > TRIM_MS ? TRIM_MS : every;
    every = every < TRIM_MIN_MS ? TRIM_MIN_MS : every;
    hd_owner_init(&receipts->owner, timer_closed, receipts);
    (void)uv_timer_init(opts->loop, &receipts->timer);
    hd_owner_add(&receipts->owner, (uv_handle_t *)&receipts->timer);
    (void)uv_timer_start(&receipts->timer, on_timer, every, every);
}

static struct fwd_receipts *receipts_new(const struct hd_journal_opts *journal)
{
    struct fwd_receipts *receipts = calloc(1, sizeof(*receipts));
    if (receipts == NULL) {
        return NULL;
    }
    hd_buf_init(&receipts->text, RECEIPT_MAX);
    hd_buf_init(&receipts->payload, 0);
    receipts->tail = json_object();
    receipts->dir = hd_slice_dup(hd_slice_str(journal->dir));
    receipts->keys = journal->keys;
    if (receipts->tail == NULL || receipts->dir == NULL ||
        fwd_frame_new(&receipts->frame) != HD_OK) {
        receipts_free(receipts);
        return NULL;
    }
    return receipts;
}

int fwd_receipts_open(const struct fwd_receipts_opts *opts, struct fwd_receipts **out,
                      char why[WHY_MAX])
{
    struct fwd_receipts *receipts = receipts_new(&opts->journal);
    if (receipts == NULL) {
        (void)snprintf(why, WHY_MAX, "%s", hd_err_text(HD_ENOMEM));
        return HD_ENOMEM;
    }
    const struct hd_journal_writer_opts writer_opts = {.journal = opts->journal,
                                                       .loop = opts->loop,
                                                       .on_durable = on_durable,
                                                       .ctx = receipts};
    struct hd_journal_recovery recovery = {0};
    int err = hd_journal_writer_open(&writer_opts, &receipts->writer, &recovery);
    if (err != HD_OK) {
        (void)snprintf(why, WHY_MAX, "receipts %.180s: %s", opts->journal.dir,
                       err == HD_EBUSY ? "another forwarder writes here"
                                       : hd_err_text(err));
        receipts_free(receipts);
        return err;
    }
    timer_start(receipts, opts);
    if (recovery.torn_bytes > 0 || recovery.damaged_bytes > 0) {
        HD_LOG(WARN, "receipts", "the journal was cut or damaged",
               HD_KV_UINT("torn_bytes", recovery.torn_bytes),
               HD_KV_UINT("damaged_bytes", recovery.damaged_bytes));
    }
    err = tail_read(receipts, recovery.next_index);
    if (err != HD_OK) {
        (void)snprintf(why, WHY_MAX, "receipts %.180s: %s", opts->journal.dir,
                       hd_err_text(err));
        fwd_receipts_close(receipts, NULL, NULL);
        return err;
    }
    *out = receipts;
    return HD_OK;
}

int fwd_receipts_append(struct fwd_receipts *receipts, const struct fwd_receipt *receipt,
                        void (*durable)(void *ctx, int err), void *ctx)
{
    hd_buf_clear(&receipts->text);
    hd_buf_clear(&receipts->payload);
    int err = fwd_receipt_format(receipt, &receipts->text);
    if (err == HD_OK) {
        err = fwd_frame_pack(receipts->frame, hd_buf_slice(&receipts->text),
                             &receipts->payload);
    }
    struct pending *pending = err == HD_OK ? malloc(sizeof(*pending)) : NULL;
    if (pending == NULL) {
        return err == HD_OK ? HD_ENOMEM : err;
    }
    *pending = (struct pending){durable, ctx};
    const struct hd_journal_entry entry = {
        .first = receipt->index,
        .last = receipt->index,
        .time_min = receipt->time_ns,
        .time_max = receipt->time_ns,
        .count = 1,
        .raw_len = (uint32_t)receipts->text.len,
        .payload = hd_buf_slice(&receipts->payload),
    };
    err = hd_journal_writer_submit(receipts->writer, &entry, pending);
    if (err != HD_OK) {
        free(pending);
    }
    return err;
}

uint64_t fwd_receipts_bytes(const struct fwd_receipts *receipts)
{
    return hd_journal_writer_bytes(receipts->writer);
}
