/* SPDX-License-Identifier: Apache-2.0 */
#include "console/journal_lines.h"

#include <haidang/journal_check.h>

#include <stdlib.h>

#include "console/entries.h"
#include "console/unpack.h"

static int take_line(struct con_journal_lines *l, struct hd_slice line)
{
    int err = line.len == 0 ? HD_OK : l->take(l->ctx, line);
    l->bad += err == HD_EPARSE;
    return err == HD_EPARSE ? HD_OK : err;
}

static int take_entry(struct con_journal_lines *l, const struct hd_journal_entry *entry,
                      struct hd_buf *text)
{
    struct hd_slice line;
    if (entry->time_max < l->since_ns || entry->time_min > l->until_ns) {
        return HD_OK;
    }
    int err = con_unpack(entry, text);
    struct hd_slice rest = err == HD_OK ? hd_buf_slice(text) : HD_SLICE_EMPTY;
    while (err == HD_OK && hd_slice_split(&rest, '\n', &line)) {
        err = take_line(l, line);
    }
    return err;
}

static int read_all(struct con_journal_lines *l, struct hd_journal_reader *reader)
{
    struct hd_buf text;
    hd_buf_init(&text, CON_UNPACK_MAX + 1);
    int err = hd_journal_reader_seek_time(reader, l->since_ns);
    while (err == HD_OK || err == HD_ECORRUPT || err == HD_ENOENT) {
        struct hd_journal_entry entry;
        err = hd_journal_reader_next(reader, &entry);
        if (err == HD_OK) {
            err = take_entry(l, &entry, &text);
        }
        l->bad += err == HD_ECORRUPT;
    }
    l->missing = hd_journal_reader_missing_key(reader);
    hd_buf_fini(&text);
    return err == HD_EAGAIN ? HD_OK : err;
}

static bool is_empty(const char *dir, int *err)
{
    struct hd_journal_segments list = {.n = 0};
    *err = hd_journal_list(dir, &list);
    free(list.first);
    return *err == HD_OK && list.n == 0;
}

int con_journal_lines(struct con_journal_lines *l)
{
    struct hd_journal_reader *reader = NULL;
    int err;
    l->bad = 0;
    if (is_empty(l->dir, &err) || err != HD_OK) {
        return err;
    }
    err = con_entries_open(l->dir, l->keys, &reader);
    if (err != HD_OK) {
        return err;
    }
    err = read_all(l, reader);
    hd_journal_reader_close(reader);
    return err;
}
