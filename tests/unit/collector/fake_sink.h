/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink for tests of sources: keeps every line, and knows what would be durable. A crash
 * takes lines and marks back to the last commit, as the spool would.
 */
#pragma once
#include "tests/support/support.h"

#include <uv.h>

#include <haidang/buf.h>

#include "collector/conf.h"
#include "collector/source/source.h"

#define FAKE_MARKS_MAX 256

struct fake_line {
    size_t at, len; /* in text */
    unsigned flags;
    char source[64], peer[48]; /* end of the name; sender */
};

struct fake_mark {
    uint8_t key[64], latest[COL_MARK_MAX], durable[COL_MARK_MAX];
    size_t key_len, latest_len, durable_len;
    unsigned asked; /* calls of last_mark */
    int64_t touched_s;
};

struct fake_sink {
    struct col_sink sink;
    struct hd_buf text;
    struct fake_line *lines;
    size_t n, cap;
    size_t committed;    /* lines that are durable */
    size_t room;         /* lines it still takes; then HD_EFULL */
    size_t commit_every; /* commit after so many lines; 0 = by hand */
    struct fake_mark marks[FAKE_MARKS_MAX];
    size_t n_marks;
    int64_t now_s; /* that marks are touched at */
    uint64_t lost[HD_LOSS_KINDS], lost_bytes[HD_LOSS_KINDS];
};

void fake_sink_init(struct fake_sink *fake);
void fake_sink_fini(struct fake_sink *fake);
void fake_sink_commit(struct fake_sink *fake);
void fake_sink_crash(struct fake_sink *fake);
struct hd_slice fake_sink_line(const struct fake_sink *fake, size_t i);
void fake_sink_expect(const struct fake_sink *fake, const char *const *lines, size_t n);

#define FAKE_EXPECT(fake, ...)                                                           \
    fake_sink_expect((fake), (const char *const[]){__VA_ARGS__},                         \
                     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* An environment on a loop, with the fake as its sink. */
struct fake_env {
    uv_loop_t loop;
    uv_timer_t guard;
    struct fake_sink sink;
    struct col_source_env env;
    struct col_source *source;
    unsigned ended; /* calls of at_end */
    bool is_late, is_closed;
};

void fake_env_init(struct fake_env *fe);
void fake_env_fini(struct fake_env *fe);
/* Defaults of a source's configuration, as the schema gives them. */
struct col_conf_source fake_conf(enum col_kind kind);
void fake_env_open(struct fake_env *fe, col_source_open *open,
                   const struct col_conf_source *conf);
void fake_env_close(struct fake_env *fe);
/* Runs the loop until so many lines have come; fails after two minutes. */
void fake_env_wait(struct fake_env *fe, size_t lines);
/* Runs the loop for a while: nothing more must come. */
void fake_env_quiet(struct fake_env *fe, uint64_t ms);
