/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/alloc.h"
#include <haidang/clock.h>
#include <haidang/log.h>

static int ends[2];
static int64_t wall;
static int64_t mono;

static int setup(void **state)
{
    (void)state;
    wall = INT64_C(1795247437123456789);
    mono = 1000 * HD_NS_PER_SEC;
    hd_clock_fake(&wall, &mono);
    return pipe2(ends, O_NONBLOCK | O_CLOEXEC);
}

static int teardown(void **state)
{
    (void)state;
    hd_clock_fake(NULL, NULL);
    return close(ends[0]) | close(ends[1]);
}

static void use(enum hd_log_level level, int json, uint32_t burst)
{
    const struct hd_log_opts opts = {level, json, ends[1], burst};
    hd_log_setup(&opts);
}

static const char *written(void)
{
    static char text[1 << 16];
    ssize_t n = read(ends[0], text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void text_lines(void **state)
{
    (void)state;
    use(HD_LOG_INFO, 0, 0);
    errno = EDOM;
    HD_LOG(WARN, "uplink", "correlator lost", HD_KV_STR("peer", "192.0.2.1:6514"),
           HD_KV_SLICE("raw", HD_SLICE("a\"b\x1b[2J\n\xff")), HD_KV_INT("n", -1),
           HD_KV_UINT("u", UINT64_MAX), HD_KV_ERR(HD_ECONN));
    assert_int_equal(errno, EDOM);
    assert_string_equal(written(),
                        "2026-11-21T07:50:37.123Z WARN uplink: correlator lost "
                        "peer=\"192.0.2.1:6514\" raw=\"a\\\"b\\x1b[2J\\x0a\\xff\" n=-1 "
                        "u=18446744073709551615 err=HD_ECONN (connection failed)\n");
    HD_LOG(INFO, "m", "no pairs");
    assert_string_equal(written(), "2026-11-21T07:50:37.123Z INFO m: no pairs\n");
    HD_LOG(DEBUG, "m", "too detailed");
    assert_string_equal(written(), "");
    HD_LOG(INFO, "m", "null", HD_KV_STR("s", NULL));
    assert_string_equal(written(), "2026-11-21T07:50:37.123Z INFO m: null s=\"\"\n");
}

static void json_lines(void **state)
{
    (void)state;
    use(HD_LOG_DEBUG, 1, 0);
    HD_LOG(DEBUG, "m", "text", HD_KV_SLICE("raw", HD_SLICE("a\"\n\xff")),
           HD_KV_INT("n", 1), HD_KV_ERR(HD_EIO));
    assert_string_equal(
        written(), "{\"time\":\"2026-11-21T07:50:37.123Z\",\"level\":\"debug\","
                   "\"module\":\"m\",\"text\":\"text\",\"raw\":\"a\\\"\\n\xef\xbf\xbd\","
                   "\"n\":1,\"err\":\"HD_EIO\",\"err_text\":\"input/output error\"}\n");
}

static void log_one(void)
{
    HD_LOG(INFO, "m", "often");
}

static void a_site_is_limited(void **state)
{
    (void)state;
    use(HD_LOG_INFO, 0, 3);
    for (int i = 0; i < 10; i++) {
        log_one();
    }
    assert_int_equal(strlen(written()),
                     3 * strlen("2026-11-21T07:50:37.123Z INFO m: often\n"));
    mono += HD_NS_PER_SEC;
    log_one();
    log_one();
    assert_string_equal(written(),
                        "2026-11-21T07:50:37.123Z INFO m: often suppressed=7\n");
    mono += 100 * HD_NS_PER_SEC;
    log_one();
    assert_string_equal(written(),
                        "2026-11-21T07:50:37.123Z INFO m: often suppressed=1\n");
}

static void long_lines_stay_whole(void **state)
{
    (void)state;
    char big[5000];
    memset(big, '\x01', sizeof(big));
    struct hd_slice s = hd_slice(big, sizeof(big));
    for (int json = 0; json < 2; json++) {
        use(HD_LOG_INFO, json, 0);
        HD_LOG(INFO, "m", "big", HD_KV_SLICE("a", s), HD_KV_SLICE("b", s),
               HD_KV_SLICE("c", s));
        const char *line = written();
        assert_int_equal(line[strlen(line) - 1], '\n');
        assert_non_null(strstr(line, "truncated"));
        assert_true(strlen(line) <= 8192);
        if (json) {
            json_t *parsed = json_loads(line, 0, NULL);
            assert_non_null(parsed);
            json_decref(parsed);
        }
    }
}

static void *log_many(void *ctx)
{
    for (int i = 0; i < 50; i++) {
        HD_LOG(INFO, "thread", "line of one thread", HD_KV_STR("name", ctx));
    }
    return NULL;
}

static void threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t thread[4];
    use(HD_LOG_INFO, 0, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, log_many, "abcdefgh"), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        (void)pthread_join(thread[i], NULL);
    }
    static const char want[] =
        "2026-11-21T07:50:37.123Z INFO thread: line of one thread name=\"abcdefgh\"\n";
    const char *all = written();
    assert_int_equal(strlen(all), 200 * strlen(want));
    for (size_t i = 0; i < 200; i++) {
        assert_memory_equal(all + i * strlen(want), want, strlen(want));
    }
}

static void needs_no_memory(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        use(HD_LOG_INFO, json, 0);
        hd_test_alloc_fail_at(1);
        HD_LOG(ERROR, "m", "all is lost", HD_KV_STR("s", "\x01\"quoted\""),
               HD_KV_ERR(HD_ENOMEM));
        hd_test_alloc_stop();
        assert_false(hd_test_alloc_failed());
        assert_non_null(strstr(written(), "all is lost"));
    }
}

static void a_closed_descriptor_is_survived(void **state)
{
    (void)state;
    const struct hd_log_opts opts = {HD_LOG_INFO, 0, -1, 0};
    hd_log_setup(&opts);
    HD_LOG(ERROR, "m", "nobody hears");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(json_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(a_site_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lines_stay_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(needs_no_memory, setup, teardown),
        cmocka_unit_test(a_closed_descriptor_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
