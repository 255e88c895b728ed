/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collector/file_kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *in_dir(const struct fixture *f, const char *name)
{
    static char path[2][512];
    static unsigned turn;
    char *out = path[turn++ % 2];
    (void)snprintf(out, sizeof(path[0]), "%s/%s", f->dir, name);
    return out;
}

void append(const struct fixture *f, const char *name, const char *text)
{
    int fd = open(in_dir(f, name), O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

void archive(const struct fixture *f, const char *name, uint32_t len)
{
    uint8_t bytes[24] = {0x1f, 0x8b, 0x08};
    for (int i = 0; i < 4; i++) {
        bytes[sizeof(bytes) - 4 + (size_t)i] = (uint8_t)(len >> (8 * i));
    }
    FILE *file = fopen(in_dir(f, name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    assert_int_equal(fclose(file), 0);
}

void move(const struct fixture *f, const char *from, const char *to)
{
    assert_int_equal(rename(in_dir(f, from), in_dir(f, to)), 0);
}

struct fixture *setup(const char *pattern)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    fake_env_init(&f->fe);
    (void)snprintf(f->dir, sizeof(f->dir), "%s", hd_test_tmpdir());
    (void)snprintf(f->pattern, sizeof(f->pattern), "%s/%s", f->dir, pattern);
    f->paths[0] = f->pattern;
    f->conf = fake_conf(COL_KIND_FILE);
    f->conf.paths = f->paths;
    f->conf.n_paths = 1;
    return f;
}

void start(struct fixture *f)
{
    fake_env_open(&f->fe, col_file_open, &f->conf);
}

void restart(struct fixture *f, bool crash)
{
    if (!crash) {
        fake_sink_commit(&f->fe.sink);
    }
    fake_env_close(&f->fe);
    fake_sink_crash(&f->fe.sink);
    start(f);
}

void teardown(struct fixture *f)
{
    if (f->fe.source != NULL) {
        fake_env_close(&f->fe);
    }
    fake_env_fini(&f->fe);
    free(f);
}
