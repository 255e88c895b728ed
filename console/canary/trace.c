/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of the shots, from the journals themselves: what is found there is durable.
 * An alert is written after its line, a receipt after its alert, so whoever finds one
 * reads the journal before it first. Anonymous readers: they hold nothing back.
 */
#include "console/canary/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/alert.h>
#include <haidang/batch.h>

#include "console/unlock.h"
#include "console/unpack.h"

#define ARCHIVE_DIR  "/var/lib/haidang/correlator/archive"
#define ALERTS_DIR   "/var/lib/haidang/correlator/alerts"
#define RECEIPTS_DIR "/var/lib/haidang/forwarder/receipts"

enum journal { ARCHIVE, ALERTS, RECEIPTS };

struct con_canary_trace {
    struct hd_journal_keys *keys; /* of what is encrypted */
    struct con_canary_plan *plan;
    struct hd_journal_reader *readers[CON_CANARY_JOURNALS]; /* NULL: not looked at */
    struct hd_batch_reader *batch;
};

static struct con_canary_shot *find_shot(const struct con_canary_trace *t,
                                         struct hd_slice id)
{
    for (size_t i = 0; i < t->plan->n; i++) {
        if (hd_slice_eq(id, hd_slice(t->plan->shots[i].id, HD_CANARY_ID_LEN))) {
            return &t->plan->shots[i];
        }
    }
    return NULL;
}

/* ---- the archive ---- */

static void take_part(struct con_canary_shot *shot, const struct hd_canary *canary,
                      const struct hd_batch_info *info, uint64_t seq)
{
    uint64_t *word = &shot->seen[(canary->part - 1) / 64];
    uint64_t bit = UINT64_C(1) << ((canary->part - 1) % 64);
    if ((*word & bit) != 0 || canary->part > shot->parts) {
        return;
    }
    *word |= bit;
    shot->target->on_way -= shot->target->on_way > 0;
    (void)snprintf(shot->event, sizeof(shot->event), "%.*s/%.*s/%llu",
                   HD_SLICE_FMT(info->agent), HD_SLICE_FMT(info->boot),
                   (unsigned long long)seq);
    if (++shot->archived == shot->parts) {
        shot->archived_ns = hd_clock_mono_ns();
    }
}

static int take_batch(struct con_canary_trace *t, const struct hd_journal_entry *entry)
{
    struct hd_batch_info info;
    struct hd_batch_record record;
    struct hd_canary canary;
    int err = hd_batch_reader_open(t->batch, entry->payload, &info);
    if (err != HD_OK) {
        return err == HD_ENOMEM ? err : HD_OK; /* archive verify names it */
    }
    while (hd_batch_reader_next(t->batch, &record) == 1) {
        if (hd_canary_parse(record.line, &canary) == HD_CANARY_OK) {
            struct con_canary_shot *shot = find_shot(t, canary.id);
            if (shot != NULL) {
                take_part(shot, &canary, &info, record.seq);
            }
        }
    }
    return HD_OK;
}

/* ---- alerts and receipts ---- */

static void take_alert(struct con_canary_trace *t, const json_t *alert)
{
    struct con_canary_shot *shot =
        find_shot(t, hd_slice_str(hd_alert_text(alert, "canary.id")));
    if (shot != NULL && shot->alert_ns == 0 && hd_alert_is_test(alert)) {
        shot->alert_ns = hd_clock_mono_ns();
        (void)snprintf(shot->alert, sizeof(shot->alert), "%s",
                       hd_alert_text(alert, "id"));
    }
}

static struct con_canary_shot *shot_of_alert(const struct con_canary_trace *t,
                                             const char *alert)
{
    for (size_t i = 0; i < t->plan->n && alert[0] != '\0'; i++) {
        if (strcmp(t->plan->shots[i].alert, alert) == 0) {
            return &t->plan->shots[i];
        }
    }
    return NULL;
}

static int read_journal(struct con_canary_trace *t, enum journal which);

static int take_receipt(struct con_canary_trace *t, const json_t *receipt)
{
    const char *alert = hd_alert_text(receipt, "alert");
    struct con_canary_shot *shot = shot_of_alert(t, alert);
    if (shot == NULL) {
        int err = read_journal(t, ALERTS);
        shot = shot_of_alert(t, alert);
        if (err != HD_OK || shot == NULL) {
            return err;
        }
    }
    if (strcmp(hd_alert_text(receipt, "outcome"), "withheld") != 0) {
        (void)snprintf(shot->why, sizeof(shot->why),
                       "the forwarder did not withhold it: receipt \"%s\" of %s",
                       hd_alert_text(receipt, "outcome"),
                       hd_alert_text(receipt, "destination"));
    } else if (shot->receipt_ns == 0) {
        shot->receipt_ns = hd_clock_mono_ns();
        (void)snprintf(shot->destination, sizeof(shot->destination), "%s",
                       hd_alert_text(receipt, "destination"));
        (void)snprintf(shot->reason, sizeof(shot->reason), "%s",
                       hd_alert_text(receipt, "reason"));
    }
    return HD_OK;
}

static int take_line(struct con_canary_trace *t, enum journal which, const json_t *line)
{
    if (which == RECEIPTS) {
        return take_receipt(t, line);
    }
    take_alert(t, line);
    return HD_OK;
}

static int take_lines(struct con_canary_trace *t, enum journal which,
                      const struct hd_journal_entry *entry)
{
    struct hd_buf text; /* own: a receipt may make us read alerts in between */
    struct hd_slice line;
    hd_buf_init(&text, CON_UNPACK_MAX + 1);
    int err = con_unpack(entry, &text);
    struct hd_slice rest = err == HD_OK ? hd_buf_slice(&text) : HD_SLICE_EMPTY;
    while (err == HD_OK && hd_slice_split(&rest, '\n', &line)) {
        json_t *object = json_loadb((const char *)line.ptr, line.len, 0, NULL);
        if (object != NULL) {
            err = take_line(t, which, object);
        }
        json_decref(object);
    }
    hd_buf_fini(&text);
    return err == HD_ECORRUPT ? HD_OK : err;
}

/* ---- all of them ---- */

static int read_journal(struct con_canary_trace *t, enum journal which)
{
    struct hd_journal_entry entry;
    int err = which == ALERTS ? read_journal(t, ARCHIVE) : HD_OK;
    while (err == HD_OK && t->readers[which] != NULL) {
        err = hd_journal_reader_next(t->readers[which], &entry);
        if (err == HD_OK) {
            err = which == ARCHIVE ? take_batch(t, &entry) : take_lines(t, which, &entry);
        } else if (err == HD_ECORRUPT || err == HD_ENOENT) {
            err = HD_OK; /* told by the programs and by archive verify */
        }
    }
    return err == HD_EAGAIN ? HD_OK : err;
}

int con_canary_trace_read(struct con_canary_trace *t)
{
    for (unsigned i = 0; i < CON_CANARY_JOURNALS; i++) {
        if (t->readers[i] != NULL) {
            hd_journal_reader_drain(t->readers[i]);
        }
    }
    int err = read_journal(t, ALERTS);
    return err != HD_OK ? err : read_journal(t, RECEIPTS);
}

int con_canary_trace_fds(struct con_canary_trace *t, int fds[CON_CANARY_JOURNALS])
{
    int n = 0;
    for (unsigned i = 0; i < CON_CANARY_JOURNALS; i++) {
        if (t->readers[i] != NULL) {
            fds[n] = hd_journal_reader_fd(t->readers[i]);
            if (fds[n] < 0) {
                return fds[n];
            }
            n++;
        }
    }
    return n;
}

bool con_canary_trace_has_receipts(const struct con_canary_trace *t)
{
    return t->readers[RECEIPTS] != NULL;
}

static int open_journal(struct con_canary_trace *t, const struct con_args *args,
                        enum journal which)
{
    static const struct {
        const char *option, *dir;
    } known[] = {
        {"archive", ARCHIVE_DIR}, {"alerts", ALERTS_DIR}, {"receipts", RECEIPTS_DIR}};
    const char *dir = con_args_value(args, known[which].option);
    dir = dir != NULL ? dir : known[which].dir;
    if (access(dir, R_OK | X_OK) != 0) {
        return con_fail(HD_EXIT_STORE,
                        "cannot read %s; name the directory with --%s%s, and be in the "
                        "group haidang",
                        dir, known[which].option,
                        which == RECEIPTS ? ", or say --no-receipts" : "");
    }
    int err = hd_journal_reader_open(dir, NULL, &t->readers[which]);
    if (err == HD_OK) {
        hd_journal_reader_use_keys(t->readers[which], t->keys);
        err = hd_journal_reader_seek_end(t->readers[which]);
    }
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s: %s", dir, hd_err_text(err));
}

int con_canary_trace_new(const struct con_args *args, struct con_canary_plan *plan,
                         struct con_canary_trace **out)
{
    struct con_canary_trace *t = calloc(1, sizeof(*t));
    if (t == NULL || hd_batch_reader_new(&t->batch) != HD_OK) {
        free(t);
        return con_fail(HD_EXIT_RUNTIME, "out of memory");
    }
    t->plan = plan;
    int code = con_unlock(args, &t->keys);
    code = code != HD_EXIT_OK ? code : open_journal(t, args, ARCHIVE);
    code = code != HD_EXIT_OK ? code : open_journal(t, args, ALERTS);
    if (code == HD_EXIT_OK && !con_args_flag(args, "no-receipts")) {
        code = open_journal(t, args, RECEIPTS);
    }
    if (code != HD_EXIT_OK) {
        con_canary_trace_free(t);
        return code;
    }
    *out = t;
    return HD_EXIT_OK;
}

void con_canary_trace_free(struct con_canary_trace *t)
{
    if (t == NULL) {
        return;
    }
    for (unsigned i = 0; i < CON_CANARY_JOURNALS; i++) {
        if (t->readers[i] != NULL) {
            hd_journal_reader_close(t->readers[i]);
        }
    }
    hd_batch_reader_free(t->batch);
    hd_journal_keys_free(t->keys);
    free(t);
}
