/* SPDX-License-Identifier: Apache-2.0 */
#include "console/rules/seen.h"

#include <haidang/journal.h>

#include <stdlib.h>

#include "rules/explain.h"

int con_seen_init(struct con_seen *seen, const struct rul_set *set)
{
    *seen = (struct con_seen){.set = set};
    seen->classes = calloc((size_t)rul_set_classes(set) + 1, sizeof(*seen->classes));
    return seen->classes != NULL ? HD_OK : HD_ENOMEM;
}

void con_seen_fini(struct con_seen *seen)
{
    free(seen->classes);
    seen->classes = NULL;
}

static void add(struct con_seen *seen, const struct rul_event *ev)
{
    struct con_seen_class *class = &seen->classes[ev->class_id];
    class->events++;
    seen->events++;
    seen->unknown += rul_set_class(seen->set, ev->class_id)->n == 0;
    for (size_t i = 0; i < CON_SEEN_WORDS; i++) {
        class->fields[i] |= ev->present[i];
    }
}

/* ---- a file ---- */

int con_seen_events(struct con_seen *seen, const struct con_args *args)
{
    struct con_events events;
    int more = 0;
    int code = con_events_open(&events, args, seen->set);
    while (code == HD_EXIT_OK && (more = con_lines_fill(&events.lines)) > 0) {
        while (con_events_next(&events)) {
            add(seen, events.ev);
        }
    }
    if (more < 0) {
        code = con_fail(HD_EXIT_RUNTIME, "%s cannot be read: %s", events.lines.name,
                        hd_err_text(more));
    }
    con_events_close(&events);
    return code;
}

/* ---- the archive ---- */

struct archive {
    struct con_seen *seen;
    struct hd_journal_reader *reader;
    struct hd_batch_reader *batch;
    struct rul_decode_scratch *scratch;
    struct rul_event *ev;
    int64_t since_ns;
    uint64_t end; /* index of the first entry that is not looked at */
};

static void take_batch(struct archive *a, struct hd_slice frame)
{
    struct hd_batch_info info;
    struct hd_batch_record record;
    const struct hd_batch_source *sources = NULL;
    if (hd_batch_reader_open(a->batch, frame, &info) != HD_OK) {
        a->seen->unreadable++;
        return;
    }
    uint16_t n = hd_batch_reader_sources(a->batch, &sources);
    int got;
    while ((got = hd_batch_reader_next(a->batch, &record)) == 1) {
        if (record.source >= n || record.recv_ns < a->since_ns) {
            continue;
        }
        const struct rul_record in = {.source = &sources[record.source],
                                      .recv_ns = record.recv_ns,
                                      .line = record.line};
        rul_decode(rul_set_decoders(a->seen->set), a->scratch, &in, a->ev);
        add(a->seen, a->ev);
    }
    a->seen->unreadable += got < 0;
}

static int read_entries(struct archive *a)
{
    int err = HD_OK;
    while (err == HD_OK) {
        struct hd_journal_cursor at;
        struct hd_journal_entry entry;
        hd_journal_reader_tell(a->reader, &at);
        err = at.index < a->end ? hd_journal_reader_next(a->reader, &entry) : HD_EAGAIN;
        if (err == HD_OK && entry.time_max >= a->since_ns) {
            take_batch(a, entry.payload);
        }
        a->seen->unreadable += err == HD_ECORRUPT;
        err = err == HD_ECORRUPT || err == HD_ENOENT ? HD_OK : err;
    }
    return err == HD_EAGAIN ? HD_OK : err;
}

static int read_archive(struct archive *a, const char *dir)
{
    struct hd_journal_cursor at;
    int err = hd_journal_reader_open(dir, NULL, &a->reader);
    if (err == HD_OK) {
        hd_journal_reader_use_keys(a->reader, a->seen->keys);
        err = hd_journal_reader_seek_time(a->reader, a->since_ns);
    }
    err = err == HD_OK ? hd_batch_reader_new(&a->batch) : err;
    err = err == HD_OK ? rul_decode_scratch_new(&a->scratch) : err;
    a->ev = calloc(1, sizeof(*a->ev));
    err = err == HD_OK && a->ev == NULL ? HD_ENOMEM : err;
    if (err != HD_OK) {
        return err;
    }
    hd_journal_reader_tell(a->reader, &at);
    a->end = at.index + hd_journal_reader_lag(a->reader);
    return read_entries(a);
}

int con_seen_archive(struct con_seen *seen, const char *dir, int64_t since_ns)
{
    struct archive a = {.seen = seen, .since_ns = since_ns};
    int err = read_archive(&a, dir);
    if (err == HD_ENOKEY) {
        seen->missing = hd_journal_reader_missing_key(a.reader);
    }
    rul_decode_scratch_free(a.scratch);
    hd_batch_reader_free(a.batch);
    hd_journal_reader_close(a.reader);
    free(a.ev);
    return err;
}
