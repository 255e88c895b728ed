/* SPDX-License-Identifier: Apache-2.0
 *
 * The correlator as a whole, in this process: what a reload takes up and leaves behind,
 * and an end by force while a worker is still at work.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/log.h>
#include <haidang/num.h>

#include "correlator/program_core.h"
#include "tests/support/certs.h"

#define ID       "00112233445566778899aabbccddeeff"
#define WARM_UP  40U
#define RELOADS  120U
#define GREW_MAX ((size_t)16 << 10)

static const char rule_text[] = "title: Accepted\n"
                                "id: ecfd1fcd-d465-49ce-a04e-c5d55affd631\n"
                                "status: test\n"
                                "logsource: {product: linux, service: sshd}\n"
                                "detection:\n"
                                "  selection: {event.outcome: success}\n"
                                "  condition: selection\n"
                                "level: low\n";

static struct world {
    char dir[400];
    uv_loop_t loop;
    struct cor_conf conf;
    struct cor_program *program;
    struct hd_sign_key *key; /* not trusted at first */
} w;

/* ---- files ---- */

static const char *below(const char *name)
{
    return hd_test_path(w.dir, name);
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(hd_fs_write_atomic(below(name), hd_slice_str(text), 0600), HD_OK);
}

static void copy_file(const char *from, const char *to)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    assert_int_equal(hd_fs_read(from, 4096, &text), HD_OK);
    assert_int_equal(hd_fs_write_atomic(to, hd_buf_slice(&text), 0600), HD_OK);
    hd_buf_fini(&text);
}

static void make_keys(void)
{
    assert_int_equal(hd_fs_mkdirs(below("trusted"), 0700), HD_OK);
    assert_int_equal(hd_fs_mkdirs(below("others"), 0700), HD_OK);
    assert_int_equal(hd_sign_key_make(below("trusted/a")), HD_OK);
    assert_int_equal(hd_sign_key_make(below("others/b")), HD_OK);
    assert_int_equal(hd_sign_key_load(below("others/b"), &w.key), HD_OK);
}

static void make_conf(void)
{
    char text[4096];
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    const char *pki = hd_test_pki();
    (void)snprintf(text, sizeof(text),
                   "listen: '127.0.0.1:0'\n"
                   "tls: {cert: %s/server.crt, key: %s/server.key, ca: %s/ca.crt}\n"
                   "state_dir: %s/state\n"
                   "status: 'unix:%s/status.sock'\n"
                   "archive: {dir: %s/archive}\n"
                   "alerts: {dir: %s/alerts}\n"
                   "rules: {library: %s/rules, decoders: %s}\n"
                   "canary: {keys: %s/trusted}\n",
                   pki, pki, pki, w.dir, w.dir, w.dir, w.dir, w.dir,
                   hd_test_source("rules/decoders"), w.dir);
    assert_int_equal(
        hd_conf_parse(hd_slice_str(text), "x.yml", &cor_conf_schema, &w.conf, &diags),
        HD_OK);
}

/* ---- life ---- */

static int setup(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    memset(&w, 0, sizeof(w));
    (void)snprintf(w.dir, sizeof(w.dir), "%s", hd_test_tmpdir());
    assert_int_equal(hd_fs_mkdirs(below("rules"), 0700), HD_OK);
    write_text("rules/one.yml", rule_text);
    make_keys();
    make_conf();
    assert_int_equal(uv_loop_init(&w.loop), 0);
    assert_int_equal(cor_program_new(&w.program), HD_OK);
    assert_int_equal(cor_program_load(w.program, &w.conf, &diags), 0);
    assert_int_equal(cor_program_start(w.program, &w.loop, &w.conf), 0);
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak sanitizer has to look at us */
}

static int teardown(void **state)
{
    (void)state;
    cor_program_stop(w.program);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    cor_program_free(w.program);
    hd_sign_key_free(w.key);
    hd_conf_free(&cor_conf_schema, &w.conf);
    return 0;
}

static void reload(void)
{
    cor_program_reload(w.program);
    while (w.program->is_loading) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
}

/* ---- keys of canaries ---- */

static enum hd_canary_verdict judge(void)
{
    struct hd_buf line;
    struct hd_canary out;
    struct hd_canary c = {.id = HD_SLICE(ID),
                          .part = 1,
                          .parts = 1,
                          .class = HD_CANARY_UDP,
                          .rule = HD_SLICE("r1"),
                          .time_ns = hd_clock_wall_ns(),
                          .message = HD_SLICE("Accepted password for root")};
    struct hd_canary_gate gate = {.keys = w.program->loaded.canary_keys};
    hd_buf_init(&line, 0);
    assert_int_equal(hd_canary_write(&c, w.key, HD_SLICE("h"), &line), HD_OK);
    enum hd_canary_verdict verdict =
        hd_canary_judge(&gate, hd_buf_slice(&line), hd_clock_wall_ns(), &out);
    hd_buf_fini(&line);
    return verdict;
}

static void a_reload_takes_up_keys(void **state)
{
    (void)state;
    assert_int_equal(judge(), HD_GATE_FORGED);
    copy_file(below("others/b.pub"), below("trusted/b.pub"));
    assert_int_equal(judge(), HD_GATE_FORGED);
    reload();
    assert_int_equal(judge(), HD_GATE_CANARY);
    write_text("trusted/c.pub", "no key");
    assert_int_equal(unlink(below("trusted/b.pub")), 0);
    reload(); /* nothing is taken up */
    assert_int_equal(judge(), HD_GATE_CANARY);
    assert_int_equal(unlink(below("trusted/c.pub")), 0);
    reload();
    assert_int_equal(judge(), HD_GATE_FORGED);
}

/* ---- what reloads leave behind ---- */

/* Sets that were replaced go when the detector has taken up another one. The state thread
 * stays at the first until lines come. */
static void let_go(void)
{
    for (unsigned i = 0; w.program->n_retired > 1 || w.program->is_leaving; i++) {
        assert_true(i < 15000);
        cor_reload_clear(w.program);
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1);
    }
}

static size_t memory_after(unsigned reloads)
{
    for (unsigned i = 0; i < reloads; i++) {
        write_text("rules/two.yml", i % 2 == 0 ? "" : "# changed\n");
        reload();
        let_go();
    }
    return mallinfo2().uordblks;
}

static void reloads_leave_nothing_behind(void **state)
{
    (void)state;
    uint64_t n = RELOADS;
    const char *wanted = getenv("HD_RELOADS");
    if (wanted != NULL) {
        assert_int_equal(hd_num_u64(hd_slice_str(wanted), 1000000, &n), HD_OK);
    }
    size_t before = memory_after(WARM_UP);
    size_t after = memory_after((unsigned)n);
    /* a thread was at the set replaced last: on a busy machine it goes with a later one
     */
    for (unsigned i = 0; i < WARM_UP && after >= before + GREW_MAX; i++) {
        after = memory_after(2);
    }
    print_message("%zu bytes in use, %zu after %ju reloads\n", before, after,
                  (uintmax_t)n);
    assert_true(after < before + GREW_MAX);
}

/* ---- an end by force ---- */

static void part_closed(void *ctx)
{
    struct cor_program *p = ctx;
    p->n_closing--;
}

static void release(void *ctx, uint64_t index)
{
    (void)ctx;
    (void)index;
}

/* Who logs waits until somebody reads. */
static void fill_log(int ends[2])
{
    static const char bytes[4096] = "";
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof(bytes)) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    hd_log_setup(&(struct hd_log_opts){.level = HD_LOG_ERROR, .fd = ends[1]});
}

static void empty_log(int ends[2])
{
    char bytes[4096];
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (read(ends[0], bytes, sizeof(bytes)) > 0) {
    }
}

/* Retention reads with the program's keys, and a worker of it has not ended yet. */
static void an_end_by_force_leaves_what_workers_use(void **state)
{
    (void)state;
    struct cor_program *p = NULL;
    uv_loop_t loop;
    int log[2];
    (void)snprintf(w.dir, sizeof(w.dir), "%s", hd_test_tmpdir());
    write_text("retention.yml", "otherwise: never\n"); /* it will say so */
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(cor_program_new(&p), HD_OK);
    assert_int_equal(hd_journal_keys_new(&p->keys), HD_OK);
    p->loop = &loop;
    const struct cor_expire_opts opts = {.loop = &loop,
                                         .file = below("retention.yml"),
                                         .dir = w.dir,
                                         .keys = p->keys,
                                         .every_ns = HD_NS_PER_SEC,
                                         .release = release,
                                         .closed = part_closed,
                                         .ctx = p};
    assert_int_equal(cor_expire_open(&opts, &p->expire), HD_OK);
    fill_log(log);
    (void)uv_run(&loop, UV_RUN_ONCE); /* its timer: a worker begins, and waits */
    cor_program_stop(p);
    while (p->is_joining) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    cor_program_free(p); /* no more patience */
    assert_int_equal(p->n_closing, 1);
    assert_int_equal(hd_journal_keys_count(p->keys), 0);
    empty_log(log);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(p->n_closing, 0);
    cor_program_free(p);
    assert_int_equal(uv_loop_close(&loop), 0);
    hd_log_setup(&(struct hd_log_opts){.level = HD_LOG_ERROR, .fd = 2});
    (void)close(log[0]);
    (void)close(log[1]);
}

/* What threads cache of freed memory counts as in use, so nothing may be cached, and
 * everything has to come from the one arena that mallinfo2 knows. */
static void count_exactly(char **argv)
{
    if (getenv("GLIBC_TUNABLES") == NULL) {
        (void)setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
        (void)execv("/proc/self/exe", argv);
        fail();
    }
    (void)mallopt(M_ARENA_MAX, 1);
}

int main(int argc, char **argv)
{
    (void)argc;
    count_exactly(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reload_takes_up_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(reloads_leave_nothing_behind, setup, teardown),
        cmocka_unit_test(an_end_by_force_leaves_what_workers_use),
    };
    hd_log_setup(&(struct hd_log_opts){.level = HD_LOG_ERROR, .fd = 2});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
