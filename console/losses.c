/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang losses: rows of what was lost, and the command.
 */
#include "console/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/losses_read.h"
#include "console/unlock.h"
#include "console/when.h"

#define LEDGER_DIR    "/var/lib/haidang/correlator/losses"
#define RECEIPTS_DIR  "/var/lib/haidang/forwarder/receipts"
#define DEFAULT_SINCE "24h"

struct losses {
    struct con_losses_from from;
    const char *agent, *kind;
    bool as_json;
    struct con_systems systems;
    struct con_loss_rows rows;
    struct hd_buf json;
    uint64_t shown;
    struct hd_journal_keys *keys;
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

void con_losses_fini(struct con_loss_rows *rows)
{
    free(rows->rows);
    *rows = (struct con_loss_rows){0};
}

int con_losses_add(struct con_loss_rows *rows, const struct hd_loss *loss)
{
    struct con_loss_row *row = find_row(rows, loss);
    if (row == NULL) {
        return add_row(rows, loss);
    }
    add_to_row(row, loss);
    return HD_OK;
}

const struct hd_system *con_loss_system(const struct con_systems *systems,
                                        const struct hd_loss *loss)
{
    return con_systems_of(systems, hd_slice_str(loss->agent), HD_SLICE_EMPTY,
                          HD_SLICE_EMPTY);
}

/* ---- the command ---- */

static bool is_wanted(const struct losses *l, const struct hd_loss *loss)
{
    return loss->last_ns >= l->from.since_ns && loss->first_ns <= l->from.until_ns &&
           con_systems_want(&l->systems, con_loss_system(&l->systems, loss)) &&
           (l->agent == NULL || strcmp(l->agent, loss->agent) == 0) &&
           (l->kind == NULL || strcmp(l->kind, hd_loss_name(loss->kind)) == 0);
}

static int take(void *ctx, const struct hd_loss *loss)
{
    struct losses *l = ctx;
    if (!is_wanted(l, loss)) {
        return HD_OK;
    }
    l->shown++;
    return l->as_json ? hd_loss_encode(loss, &l->json) : con_losses_add(&l->rows, loss);
}

static int outcome(const struct losses *l, const char *dir, int err)
{
    char why[CON_UNLOCK_WHY];
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_STORE, "%s: %s", dir,
                                   con_unlock_text(err, &l->from.missing, why));
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
    return outcome(l, dir, con_losses_read_ledger(&l->from, dir));
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
    return outcome(l, dir, con_losses_read_receipts(&l->from, dir));
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
        con_losses_table(&how, &l->systems, &l->rows, l->from.since_ns, &out);
        (void)fwrite(out.ptr, 1, out.len, stdout);
    }
    if (l->from.bad > 0) {
        (void)con_fail(0, "%llu entries or lines cannot be read and are not among these",
                       (unsigned long long)l->from.bad);
    }
    hd_buf_fini(&out);
    con_show_fini(&how);
    return l->shown > 0 || l->from.bad > 0 ? HD_EXIT_RUNTIME : HD_EXIT_OK;
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
    l->from.until_ns = INT64_MAX;
    int err = con_when("since", since != NULL ? since : DEFAULT_SINCE, &l->from.since_ns);
    if (err == HD_OK && until != NULL) {
        err = con_when("until", until, &l->from.until_ns);
    }
    err = err != HD_OK ? err : check_kind(l->kind);
    return err != HD_OK ? err : con_systems_init_shown(&l->systems, args);
}

int con_run_losses(const struct con_args *args)
{
    struct losses l = {.from = {.take = take}};
    l.from.ctx = &l;
    hd_buf_init(&l.json, 0);
    int code = parse(&l, args) == HD_OK ? HD_EXIT_OK : HD_EXIT_USAGE;
    code = code != HD_EXIT_OK ? code : con_unlock(args, &l.keys);
    l.from.keys = l.keys;
    code = code != HD_EXIT_OK ? code : read_ledger(&l, args);
    code = code != HD_EXIT_OK ? code : read_receipts(&l, args);
    code = code != HD_EXIT_OK ? code : show(&l, args);
    con_losses_fini(&l.rows);
    con_systems_fini(&l.systems);
    hd_journal_keys_free(l.keys);
    hd_buf_fini(&l.json);
    return code;
}
