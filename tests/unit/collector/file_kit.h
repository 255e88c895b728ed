/* SPDX-License-Identifier: Apache-2.0
 *
 * A file source in a directory of its own, with real inotify and a real loop.
 */
#pragma once
#include "tests/unit/collector/fake_sink.h"

struct fixture {
    struct fake_env fe;
    char dir[256];
    char pattern[512];
    char *paths[1];
    struct col_conf_source conf;
};

/* It begins with start. */
struct fixture *setup(const char *pattern);
void start(struct fixture *f);
/* A crash forgets what is not committed. */
void restart(struct fixture *f, bool crash);
void teardown(struct fixture *f);

const char *in_dir(const struct fixture *f, const char *name); /* two in turn */
void append(const struct fixture *f, const char *name, const char *text);
/* What looks like `len` bytes of text, compressed. */
void archive(const struct fixture *f, const char *name, uint32_t len);
void move(const struct fixture *f, const char *from, const char *to);
