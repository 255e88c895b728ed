/* SPDX-License-Identifier: Apache-2.0
 *
 * Standard input as a source: a pipe in the place of descriptor 0.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/alloc.h"
#include "tests/unit/collector/fake_sink.h"

struct fixture {
    struct fake_env fe;
    struct col_conf_source conf;
    int kept, out; /* the true standard input; our end of the pipe */
};

static void replace_input(int fd)
{
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(close(fd), 0);
}

static void setup(struct fixture *f)
{
    int ends[2];
    *f = (struct fixture){.kept = dup(STDIN_FILENO)};
    fake_env_init(&f->fe);
    f->conf = fake_conf(COL_KIND_STDIN);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    replace_input(ends[0]);
    f->out = ends[1];
}

static void close_out(struct fixture *f)
{
    assert_int_equal(close(f->out), 0);
    f->out = -1;
}

static void teardown(struct fixture *f)
{
    if (f->fe.source != NULL) {
        fake_env_close(&f->fe);
    }
    fake_env_fini(&f->fe);
    if (f->out >= 0) {
        close_out(f);
    }
    if (f->kept >= 0) {
        replace_input(f->kept);
    }
}

static void say(const struct fixture *f, const char *text)
{
    assert_int_equal(write(f->out, text, strlen(text)), (ssize_t)strlen(text));
}

static void wait_for_the_end(struct fixture *f)
{
    while (f->fe.ended == 0) {
        (void)uv_run(&f->fe.loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->fe.ended, 1);
}

static void test_lines_until_the_end(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    fake_env_open(&f.fe, col_stdin_open, &f.conf);
    say(&f, "one\ntw");
    fake_env_wait(&f.fe, 1);
    say(&f, "o\nthr");
    fake_env_wait(&f.fe, 2);
    say(&f, "ee");
    close_out(&f);
    wait_for_the_end(&f);
    FAKE_EXPECT(&f.fe.sink, "one", "two", "three");
    teardown(&f);
}

static void test_a_full_sink_makes_it_wait(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.fe.sink.room = 1;
    fake_env_open(&f.fe, col_stdin_open, &f.conf);
    say(&f, "1\n2\n3\n");
    fake_env_wait(&f.fe, 1);
    f.fe.source->ops->pause(f.fe.source);
    say(&f, "4\n");
    fake_env_quiet(&f.fe, 40);
    f.fe.sink.room = SIZE_MAX;
    f.fe.source->ops->resume(f.fe.source);
    fake_env_wait(&f.fe, 4);
    FAKE_EXPECT(&f.fe.sink, "1", "2", "3", "4");
    teardown(&f);
}

/* What epoll cannot watch. */
static void test_a_redirected_file(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    setup(&f);
    (void)snprintf(path, sizeof(path), "%s/input", hd_test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "a\nb\nc", 5), 5);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    replace_input(fd);
    fake_env_open(&f.fe, col_stdin_open, &f.conf);
    wait_for_the_end(&f);
    FAKE_EXPECT(&f.fe.sink, "a", "b", "c");
    teardown(&f);
}

/* Each allocation fails once: it does not start and says so, or takes every line but
 * those that it counts as dropped. */
static void test_lack_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct fixture f;
        struct col_source_stats stats;
        char why[256] = "";
        hd_test_alloc_stop();
        setup(&f);
        f.fe.sink.sink.add(&f.fe.sink, &(struct hd_batch_source){0}, 1, 0,
                           HD_SLICE("so that the sink needs no memory later"));
        hd_test_alloc_fail_at(n);
        int err = col_stdin_open(&f.fe.env, &f.conf, &f.fe.source, why);
        if (err == HD_OK) {
            say(&f, "one\ntw");
            (void)uv_run(&f.fe.loop, UV_RUN_NOWAIT);
            fake_env_wait(&f.fe, 2);
            hd_test_alloc_stop();
            say(&f, "o\nlast\n");
            close_out(&f);
            wait_for_the_end(&f);
            f.fe.source->ops->stats(f.fe.source, &stats);
            assert_true(hd_slice_eq(fake_sink_line(&f.fe.sink, f.fe.sink.n - 1),
                                    HD_SLICE("last")));
            assert_true(stats.dropped <= 1);
            assert_true(hd_slice_eq(fake_sink_line(&f.fe.sink, 2),
                                    stats.dropped ? HD_SLICE("o") : HD_SLICE("two")));
        } else {
            hd_test_alloc_stop();
            assert_int_equal(err, HD_ENOMEM);
            f.fe.source = NULL;
        }
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_until_the_end),
        cmocka_unit_test(test_a_full_sink_makes_it_wait),
        cmocka_unit_test(test_a_redirected_file),
        cmocka_unit_test(test_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
