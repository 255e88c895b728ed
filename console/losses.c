/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang losses: what was lost, from the correlator's ledger, and alerts that a
 * destination will never take, from the forwarder's receipts. Anonymous readers: they
 * hold nothing back and need read permission only.
 */
#include "console/losses.h"

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/journal.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/unlock.h"
#include "console/unpack.h"
#include "console/when.h"

#define LEDGER_DIR    "/var/lib/haidang/correlator/losses"
#define RECEIPTS_DIR  "/var/lib/haidang/forwarder/receipts"
#define DEFAULT_SINCE "24h"

struct losses {
    int64_t since_ns, until_ns;
    const char *agent, *kind;
    bool as_json;
    struct con_loss_rows rows;
    struct hd_buf text; /* of the entry at hand */
    struct hd_buf json;
    uint64_t shown, bad;
    struct hd_journal_keys *keys;
    struct hd_journal_key_id missing; /* what HD_ENOKEY is about */
};

/* ---- rows ---- */

static struct con_loss_row *find_row(struct con_loss_rows *rows,
                                     const struct hd_loss *loss)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct hd_loss *sum = &rows->rows[i].sum;
        if (sum->kind == loss->kind && strcmp(sum->agent, loss->agent) == 0 &&
            strcmp(sum->source, loss->source) == 0) {
            return &rows->rows[i];
        }
    }
    return NULL;
}

static int add_row(struct con_loss_rows *rows, const struct hd_loss *loss)
{
    if (rows->n == rows->cap) {
        size_t cap = rows->cap == 0 ? 16 : 2 * rows->cap;
        struct con_loss_row *more = realloc(rows->rows, cap * sizeof(*more));
        if (more == NULL) {
            return HD_ENOMEM;
        }
        rows->rows = more;
        rows->cap = cap;
    }
    rows->rows[rows->n++] = (struct con_loss_row){.sum = *loss, .records = 1};
    return HD_OK;
}

static void add_to_row(struct con_loss_row *row, const struct hd_loss *loss)
{
    struct hd_loss *sum = &row->sum;
    row->records++;
    sum->count += loss->count;
    sum->bytes += loss->bytes;
    sum->first_ns = loss->first_ns < sum->first_ns ? loss->first_ns : sum->first_ns;
    sum->last_ns = loss->last_ns > sum->last_ns ? loss->last_ns : sum->last_ns;
    sum->first_seq = loss->first_seq < sum->first_seq ? loss->first_seq : sum->first_seq;
    sum->last_seq = loss->last_seq > sum->last_seq ? loss->last_seq : sum->last_seq;
    memcpy(sum->why, loss->why, sizeof(sum->why));
}

static bool is_wanted(const struct losses *l, const struct hd_loss *loss)
{
    return loss->last_ns >= l->since_ns && loss->first_ns <= l->until_ns &&
           (l->agent == NULL || strcmp(l->agent, loss->agent) == 0) &&
           (l->kind == NULL || strcmp(l->kind, hd_loss_name(loss->kind)) == 0);
}

static int take(struct losses *l, const struct hd_loss *loss)
{
    if (!is_wanted(l, loss)) {
        return HD_OK;
    }
    l->shown++;
    if (l->as_json) {
        return hd_loss_encode(loss, &l->json);
    }
    struct con_loss_row *row = find_row(&l->rows, loss);
    if (row == NULL) {
        return add_row(&l->rows, loss);
    }
    add_to_row(row, loss);
    return HD_OK;
}

/* ---- where they are written down ---- */

static int take_loss(struct losses *l, struct hd_slice line)
{
    struct hd_loss loss;
    int err = hd_loss_decode(line, &loss);
    if (err == HD_ENOMEM) {
        return err;
    }
    l->bad += err != HD_OK;
    return err == HD_OK ? take(l, &loss) : HD_OK;
}

/* What it said, where it said anything. */
static void say_why(const json_t *receipt, struct hd_loss *loss)
{
    int64_t status = hd_alert_int(receipt, "status", 0);
    HD_LOSS_SET(loss->why, hd_slice_str(hd_alert_text(receipt, "reason")));
    if (loss->why[0] == '\0' && status > 0) {
        (void)snprintf(loss->why, sizeof(loss->why), "it answered with status %" PRId64,
                       status);
    }
}

/* A receipt of an alert that a destination will never take. */
static int take_receipt(struct losses *l, struct hd_slice line)
{
    struct hd_loss loss = {.kind = HD_LOSS_DEAD_LETTER, .count = 1, .by = "forwarder"};
    json_t *receipt = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    bool is_dead = strcmp(hd_alert_text(receipt, "outcome"), "dead") == 0;
    int err = HD_OK;
    if (is_dead && hd_alert_time(receipt, "time", &loss.time_ns) == HD_OK) {
        loss.first_ns = loss.last_ns = loss.time_ns;
        HD_LOSS_SET(loss.source, hd_slice_str(hd_alert_text(receipt, "destination")));
        HD_LOSS_SET(loss.at, hd_slice_str(hd_alert_text(receipt, "alert")));
        say_why(receipt, &loss);
        err = take(l, &loss);
    }
    l->bad += receipt == NULL;
    json_decref(receipt);
    return err;
}

static int take_entry(struct losses *l, const struct hd_journal_entry *entry,
                      int (*take_line)(struct losses *l, struct hd_slice line))
{
    struct hd_slice line;
    if (entry->time_max < l->since_ns || entry->time_min > l->until_ns) {
        return HD_OK;
    }
    int err = con_unpack(entry, &l->text);
    struct hd_slice rest = err == HD_OK ? hd_buf_slice(&l->text) : HD_SLICE_EMPTY;
    while (err == HD_OK && hd_slice_split(&rest, '\n', &line)) {
        err = line.len == 0 ? HD_OK : take_line(l, line);
    }
    return err;
}

/* HD_ECORRUPT is counted: what can be read is shown. */
static int read_journal(struct losses *l, const char *dir,
                        int (*take_line)(struct losses *l, struct hd_slice line))
{
    struct hd_journal_reader *reader = NULL;
    int err = hd_journal_reader_open(dir, NULL, &reader);
    if (err != HD_OK) {
        return err;
    }
    hd_journal_reader_use_keys(reader, l->keys);
    err = hd_journal_reader_seek_time(reader, l->since_ns);
    while (err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT) {
        struct hd_journal_entry entry;
        err = hd_journal_reader_next(reader, &entry);
        if (err == HD_OK) {
            err = take_entry(l, &entry, take_line);
        }
        l->bad += err == HD_ECORRUPT;
    }
    l->missing = hd_journal_reader_missing_key(reader);
    hd_journal_reader_close(reader);
    return err == HD_EAGAIN ? HD_OK : err;
}

/* ---- the command ---- */

static int outcome(const struct losses *l, const char *dir, int err)
{
    char why[CON_UNLOCK_WHY];
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s: %s", dir,
                                   con_unlock_text(err, &l->missing, why));
}

static int read_ledger(struct losses *l, const struct con_args *args)
{
    const char *dir = con_args_value(args, "dir");
    dir = dir != NULL ? dir : LEDGER_DIR;
    if (access(dir, R_OK | X_OK) != 0) {
        return con_fail(HD_EXIT_STORE,
                        "cannot read the loss ledger %s; name it with --dir, and be in "
                        "the group haidang",
                        dir);
    }
    return outcome(l, dir, read_journal(l, dir, take_loss));
}

/* The forwarder may be on another machine; only who names its receipts must have them. */
static int read_receipts(struct losses *l, const struct con_args *args)
{
    const char *given = con_args_value(args, "receipts");
    const char *dir = given != NULL ? given : RECEIPTS_DIR;
    if (access(dir, R_OK | X_OK) != 0) {
        return con_fail(given != NULL ? HD_EXIT_STORE : HD_EXIT_OK,
                        "cannot read the forwarder's receipts in %s: alerts that a "
                        "destination did not take are not among these; name it with "
                        "--receipts",
                        dir);
    }
    return outcome(l, dir, read_journal(l, dir, take_receipt));
}

static int show(struct losses *l, const struct con_args *args)
{
    struct con_show how;
    struct hd_buf out;
    if (con_show_init(&how, args) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    hd_buf_init(&out, 0);
    if (l->as_json) {
        (void)fwrite(l->json.ptr, 1, l->json.len, stdout);
    } else {
        con_losses_sort(&l->rows);
        con_losses_table(&how, &l->rows, l->since_ns, &out);
        (void)fwrite(out.ptr, 1, out.len, stdout);
    }
    if (l->bad > 0) {
        (void)con_fail(0, "%llu entries or lines cannot be read and are not among these",
                       (unsigned long long)l->bad);
    }
    hd_buf_fini(&out);
    con_show_fini(&how);
    return l->shown > 0 || l->bad > 0 ? HD_EXIT_RUNTIME : HD_EXIT_OK;
}

static int check_kind(const char *kind)
{
    bool is_known = kind == NULL || hd_loss_find(hd_slice_str(kind)) != HD_LOSS_OTHER ||
                    strcmp(kind, hd_loss_name(HD_LOSS_OTHER)) == 0;
    return is_known ? HD_OK
                    : con_fail(HD_EINVAL,
                               "--kind is no kind of loss: '%s'; see 'haidang "
                               "help losses'",
                               kind);
}

static int parse(struct losses *l, const struct con_args *args)
{
    const char *since = con_args_value(args, "since");
    const char *until = con_args_value(args, "until");
    l->agent = con_args_value(args, "agent");
    l->kind = con_args_value(args, "kind");
    l->as_json = con_args_flag(args, "json");
    l->until_ns = INT64_MAX;
    int err = con_when("since", since != NULL ? since : DEFAULT_SINCE, &l->since_ns);
    if (err == HD_OK && until != NULL) {
        err = con_when("until", until, &l->until_ns);
    }
    return err != HD_OK ? err : check_kind(l->kind);
}

int con_run_losses(const struct con_args *args)
{
    struct losses l = {0};
    hd_buf_init(&l.text, CON_UNPACK_MAX + 1);
    hd_buf_init(&l.json, 0);
    int code = parse(&l, args) == HD_OK ? HD_EXIT_OK : HD_EXIT_USAGE;
    code = code != HD_EXIT_OK ? code : con_unlock(args, &l.keys);
    code = code != HD_EXIT_OK ? code : read_ledger(&l, args);
    code = code != HD_EXIT_OK ? code : read_receipts(&l, args);
    code = code != HD_EXIT_OK ? code : show(&l, args);
    free(l.rows.rows);
    hd_journal_keys_free(l.keys);
    hd_buf_fini(&l.text);
    hd_buf_fini(&l.json);
    return code;
}
