/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang tail: shows alerts from the correlator's alert journal, and follows it.
 * An anonymous reader: it holds nothing back and needs read permission only.
 */
#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/journal.h>
#include <haidang/num.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "console/command.h"
#include "console/cut.h"
#include "console/filter.h"
#include "console/show.h"
#include "console/unlock.h"
#include "console/unpack.h"

#define DEFAULT_DIR "/var/lib/haidang/correlator/alerts"

struct tail {
    struct hd_journal_reader *reader;
    struct hd_journal_keys *keys;
    struct con_filter filter;
    struct con_show show;
    bool as_json;
    bool has_tests; /* alerts of canaries are shown, too */
    bool is_whole;  /* lines are not cut */
    bool is_closed; /* the pipe's reader went away */
    struct hd_buf out;
    struct hd_buf shown; /* one alert, not cut yet */
    struct hd_buf text;  /* payload of the entry at hand */
    uint64_t bad;        /* lines that are no alerts */
};

static void flush(struct tail *t)
{
    struct hd_slice rest = hd_buf_slice(&t->out);
    while (rest.len > 0 && !t->is_closed) {
        ssize_t n = write(STDOUT_FILENO, rest.ptr, rest.len);
        if (n < 0 && errno != EINTR) {
            t->is_closed = true;
        }
        rest = hd_slice_from(rest, n > 0 ? (size_t)n : 0);
    }
    hd_buf_clear(&t->out);
}

static void show_line(struct tail *t, struct hd_slice line)
{
    char why[256];
    json_t *alert = NULL;
    if (line.len == 0) {
        return;
    }
    if (hd_alert_parse(line, &alert, why) != 0) {
        if (t->bad++ == 0) {
            (void)con_fail(0, "passed over a line that is no alert: %s", why);
        }
        return;
    }
    bool is_wanted = t->has_tests || !hd_alert_is_test(alert);
    if (is_wanted && con_filter_match(&t->filter, alert)) {
        if (t->as_json) {
            hd_buf_slice_add(&t->out, line);
            hd_buf_byte(&t->out, '\n');
        } else {
            hd_buf_clear(&t->shown);
            con_show_alert(&t->show, alert, &t->shown);
            /* asked each time: the window may have another size by now */
            con_cut(&t->out, hd_buf_slice(&t->shown),
                    t->is_whole ? 0 : con_cut_columns(STDOUT_FILENO));
        }
    }
    json_decref(alert);
}

static int show_entry(struct tail *t, const struct hd_journal_entry *entry)
{
    struct hd_slice line;
    int err = con_unpack(entry, &t->text);
    struct hd_slice rest = err == HD_OK ? hd_buf_slice(&t->text) : HD_SLICE_EMPTY;
    while (hd_slice_split(&rest, '\n', &line)) {
        show_line(t, line);
    }
    return err;
}

/* Everything there is; HD_EAGAIN at the durable end. */
static int show_all(struct tail *t)
{
    struct hd_journal_entry entry;
    for (;;) {
        int err = hd_journal_reader_next(t->reader, &entry);
        if (err == HD_OK) {
            err = show_entry(t, &entry);
        }
        if (err == HD_ECORRUPT) {
            (void)con_fail(0,
                           "an entry of the alert journal does not verify; passed over");
        } else if (err == HD_ENOENT) {
            (void)con_fail(
                0, "older alerts were removed by retention; going on with what is left");
        } else if (err != HD_OK) {
            flush(t);
            return err;
        }
        if (t->out.len > 65536) {
            flush(t);
        }
        if (t->is_closed) {
            return HD_ECLOSED;
        }
    }
}

static int follow(struct tail *t)
{
    int fd = hd_journal_reader_fd(t->reader);
    if (fd < 0) {
        return fd;
    }
    for (;;) {
        struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR) {
            return hd_err_from_errno(errno);
        }
        if ((wait[1].revents & (POLLERR | POLLHUP)) != 0) {
            return HD_ECLOSED;
        }
        hd_journal_reader_drain(t->reader);
        int err = show_all(t);
        if (err != HD_EAGAIN) {
            return err;
        }
    }
}

static int seek(struct tail *t, const struct con_args *args)
{
    const char *since = con_args_value(args, "since");
    if (since == NULL) {
        return con_args_flag(args, "all") ? HD_OK : hd_journal_reader_seek_end(t->reader);
    }
    int64_t back = 0;
    if (hd_num_duration(hd_slice_str(since), &back) != 0) {
        return con_fail(HD_EINVAL,
                        "--since is a duration such as 10m, 2h or 3d, not '%s'", since);
    }
    return hd_journal_reader_seek_time(t->reader, hd_clock_wall_ns() - back);
}

static int run(struct tail *t, const struct con_args *args)
{
    const char *dir = con_args_value(args, "dir");
    dir = dir != NULL ? dir : DEFAULT_DIR;
    if (access(dir, R_OK | X_OK) != 0) {
        return con_fail(
            HD_EXIT_STORE,
            "cannot read the alert journal %s; name it with --dir, and be in the "
            "group haidang",
            dir);
    }
    int code = con_unlock(args, &t->keys);
    if (code != HD_EXIT_OK) {
        return code;
    }
    int err = hd_journal_reader_open(dir, NULL, &t->reader);
    if (err == 0) {
        hd_journal_reader_use_keys(t->reader, t->keys);
        err = seek(t, args);
    }
    if (err == HD_EINVAL) {
        return HD_EXIT_USAGE;
    }
    err = err == 0 ? show_all(t) : err;
    if (err == HD_EAGAIN) {
        err = con_args_flag(args, "no-follow") ? HD_OK : follow(t);
    }
    if (err != 0 && err != HD_ECLOSED) {
        char why[CON_UNLOCK_WHY];
        return con_fail(HD_EXIT_STORE, "%s: %s", dir,
                        con_unlock_text_of(err, t->reader, why));
    }
    return HD_EXIT_OK;
}

int con_run_tail(const struct con_args *args)
{
    struct tail t = {.as_json = con_args_flag(args, "json"),
                     .has_tests = !con_args_flag(args, "no-tests"),
                     .is_whole = con_args_flag(args, "whole")};
    int code = HD_EXIT_USAGE;
    hd_buf_init(&t.out, 0);
    hd_buf_init(&t.shown, 0);
    hd_buf_init(&t.text, CON_UNPACK_MAX + 1);
    if (con_filter_init(&t.filter, args) == 0 && con_show_init(&t.show, args) == 0) {
        code = run(&t, args);
    }
    if (t.reader != NULL) {
        hd_journal_reader_close(t.reader);
    }
    hd_journal_keys_free(t.keys);
    con_show_fini(&t.show);
    con_filter_fini(&t.filter);
    hd_buf_fini(&t.out);
    hd_buf_fini(&t.shown);
    hd_buf_fini(&t.text);
    return code;
}
