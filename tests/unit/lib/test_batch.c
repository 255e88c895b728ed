/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include <haidang/batch.h>

#define BOOT "0123456789abcdef0123456789abcdef"
#define T0   INT64_C(1790000000123456000)

static const struct hd_batch_source file_source = {
    .host = {(const uint8_t *)"web1", 4},
    .kind = {(const uint8_t *)"file", 4},
    .name = {(const uint8_t *)"/var/log/auth.log", 17},
    .format = {(const uint8_t *)"syslog", 6},
};
static const struct hd_batch_source udp_source = {
    .host = {(const uint8_t *)"web1", 4},
    .kind = {(const uint8_t *)"syslog-udp", 10},
    .name = {(const uint8_t *)":514", 4},
    .peer = {(const uint8_t *)"192.0.2.7", 9},
    .format = {(const uint8_t *)"auto", 4},
};

static struct hd_batch_builder *make_builder(size_t raw_max)
{
    struct hd_batch_builder *b = NULL;
    assert_int_equal(hd_batch_builder_new("web1", BOOT, raw_max, 1, &b), HD_OK);
    return b;
}

static struct hd_batch_reader *make_reader(void)
{
    struct hd_batch_reader *r = NULL;
    assert_int_equal(hd_batch_reader_new(&r), HD_OK);
    return r;
}

static void assert_text(struct hd_slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

/* The text of a frame with a NUL behind it; the caller frees. */
static char *plain(struct hd_slice frame)
{
    char *text = malloc(HD_BATCH_RAW_MAX + 1);
    size_t len = ZSTD_decompress(text, HD_BATCH_RAW_MAX, frame.ptr, frame.len);
    assert_false(ZSTD_isError(len));
    text[len] = '\0';
    return text;
}

static void test_text_is_as_documented(void **state)
{
    (void)state;
    struct hd_batch_builder *b = make_builder(0);
    uint16_t file = 9;
    uint16_t udp = 9;
    assert_int_equal(hd_batch_builder_source(b, &file_source, &file), HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &udp_source, &udp), HD_OK);
    assert_int_equal(file, 0);
    assert_int_equal(udp, 1);
    assert_int_equal(hd_batch_builder_add(b, 0, T0, 0, HD_SLICE("<34>a \\n b")), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, 1, T0 + 4999, 0, HD_SLICE("two\nli\\nes")),
                     HD_OK);
    assert_int_equal(hd_batch_builder_add(b, 0, T0 - INT64_C(200000000), 1, HD_SLICE("")),
                     HD_OK);
    assert_int_equal(hd_batch_builder_count(b), 3);
    struct hd_slice frame;
    struct hd_batch_info info;
    assert_int_equal(hd_batch_builder_close(b, 41, &frame, &info), HD_OK);
    char *text = plain(frame);
    assert_string_equal(
        text,
        "{\"v\":1,\"agent\":\"web1\",\"boot\":\"" BOOT "\",\"first\":41,\"last\":43,"
        "\"time_min\":1789999999923456000,\"time_max\":1790000000123460000,"
        "\"sources\":[{\"host\":\"web1\",\"kind\":\"file\",\"name\":"
        "\"/var/log/auth.log\",\"format\":\"syslog\"},{\"host\":\"web1\",\"kind\":"
        "\"syslog-udp\",\"name\":\":514\",\"peer\":\"192.0.2.7\",\"format\":"
        "\"auto\"}]}\n"
        "1790000000.123456 0 <34>a \\n b\n"
        "1790000000.123460 1e two\\nli\\\\nes\n"
        "1789999999.923456 0t \n");
    assert_int_equal(info.raw_len, strlen(text));
    assert_int_equal(info.first, 41);
    assert_int_equal(info.last, 43);
    assert_int_equal(info.time_min, INT64_C(1789999999923456000));
    assert_text(info.boot, BOOT);
    assert_int_equal(hd_batch_builder_count(b), 0);
    assert_int_equal(hd_batch_builder_raw_len(b), 0);
    free(text);
    hd_batch_builder_free(b);
}

static void test_reads_back(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "plain", "", "\\", "\n", "\\n\n\\\\", "\xff\x00\x80 bytes", " e ", "tail\n",
    };
    enum { N = sizeof(lines) / sizeof(lines[0]) };
    struct hd_batch_builder *b = make_builder(0);
    struct hd_batch_reader *r = make_reader();
    for (int round = 0; round < 2; round++) {
        uint16_t index;
        assert_int_equal(hd_batch_builder_source(b, &udp_source, &index), HD_OK);
        for (size_t i = 0; i < N; i++) {
            size_t len = i == 5 ? 9 : strlen(lines[i]);
            assert_int_equal(hd_batch_builder_add(b, index, T0 + (int64_t)i * 700000000,
                                                  i & 1, hd_slice(lines[i], len)),
                             HD_OK);
        }
        struct hd_slice frame;
        struct hd_batch_info built;
        struct hd_batch_info info;
        assert_int_equal(hd_batch_builder_close(b, 7, &frame, &built), HD_OK);
        assert_int_equal(hd_batch_reader_open(r, frame, &info), HD_OK);
        assert_text(info.agent, "web1");
        assert_text(info.boot, BOOT);
        assert_int_equal(info.count, N);
        assert_int_equal(info.time_max, built.time_max);
        assert_int_equal(info.raw_len, built.raw_len);
        const struct hd_batch_source *sources;
        assert_int_equal(hd_batch_reader_sources(r, &sources), 1);
        assert_text(sources[0].peer, "192.0.2.7");
        struct hd_batch_record rec;
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(hd_batch_reader_next(r, &rec), 1);
            size_t len = i == 5 ? 9 : strlen(lines[i]);
            assert_int_equal(rec.line.len, len);
            assert_memory_equal(rec.line.ptr, lines[i], len);
            assert_int_equal(rec.seq, 7 + i);
            assert_int_equal(rec.line_no, i);
            assert_int_equal(rec.flags, i & 1);
            assert_int_equal(rec.recv_ns, T0 + (int64_t)i * 700000000);
        }
        assert_int_equal(hd_batch_reader_next(r, &rec), 0);
        assert_int_equal(hd_batch_reader_next(r, &rec), 0);
    }
    hd_batch_reader_free(r);
    hd_batch_builder_free(b);
}

static void test_any_record_can_be_read_by_its_place(void **state)
{
    (void)state;
    static const char *const lines[] = {"plain", "", "a\nb\\c", "\\ not escaped"};
    enum { N = sizeof(lines) / sizeof(lines[0]) };
    struct hd_batch_builder *b = make_builder(0);
    struct hd_batch_reader *r = make_reader();
    struct hd_slice frame;
    struct hd_batch_info info;
    struct hd_batch_record rec;
    struct hd_buf room;
    uint16_t index;
    hd_buf_init(&room, 0);
    assert_int_equal(hd_batch_builder_source(b, &udp_source, &index), HD_OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(hd_batch_builder_add(b, index, T0 + (int64_t)i * 1000, i & 1,
                                              hd_slice_str(lines[i])),
                         HD_OK);
    }
    assert_int_equal(hd_batch_builder_close(b, 7, &frame, &info), HD_OK);
    assert_int_equal(hd_batch_reader_open(r, frame, &info), HD_OK);
    struct hd_slice text = hd_batch_reader_text(r);
    size_t at[N + 1] = {0};
    for (size_t i = 0; i < N; i++) {
        at[i + 1] = at[i] + hd_slice_find_byte(hd_slice_from(text, at[i]), '\n') + 1;
    }
    assert_int_equal(at[N], text.len);
    for (size_t k = 0; k < 3U * N; k++) {
        size_t i = k * 3 % N, len = 0; /* in no order, and again */
        assert_int_equal(hd_batch_reader_at(r, at[i], &room, &rec, &len), HD_OK);
        assert_text(rec.line, lines[i]);
        assert_int_equal(len, at[i + 1] - at[i]);
        assert_int_equal(rec.flags, i & 1);
        assert_int_equal(rec.recv_ns, T0 + (int64_t)i * 1000);
    }
    size_t len = 0;
    assert_int_equal(hd_batch_reader_at(r, 1, &room, &rec, &len), HD_OK); /* "790..." */
    assert_int_equal(hd_batch_reader_at(r, at[1] - 2, &room, &rec, &len), HD_ECORRUPT);
    assert_int_equal(hd_batch_reader_at(r, text.len, &room, &rec, &len), HD_ECORRUPT);
    hd_buf_fini(&room);
    hd_batch_reader_free(r);
    hd_batch_builder_free(b);
}

static void test_same_source_is_found(void **state)
{
    (void)state;
    struct hd_batch_builder *b = make_builder(0);
    struct hd_batch_source s = file_source;
    uint16_t index;
    char name[16];
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < HD_BATCH_SOURCES_MAX; i++) {
            (void)snprintf(name, sizeof(name), "f%u", i);
            s.name = hd_slice_str(name);
            assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_OK);
            assert_int_equal(index, i);
        }
    }
    s.name = HD_SLICE("one more");
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_EFULL);
    assert_int_equal(hd_batch_builder_add(b, 255, T0, 0, HD_SLICE("x")), HD_OK);
    struct hd_slice frame;
    struct hd_batch_info info;
    assert_int_equal(hd_batch_builder_close(b, 1, &frame, &info), HD_OK);
    struct hd_batch_reader *r = make_reader();
    struct hd_batch_record rec;
    assert_int_equal(hd_batch_reader_open(r, frame, &info), HD_OK);
    assert_int_equal(hd_batch_reader_next(r, &rec), 1);
    assert_int_equal(rec.source, 255);
    /* forgotten with the batch */
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_OK);
    assert_int_equal(index, 0);
    /* the same text cut elsewhere is another source */
    s.host = HD_SLICE("web1f");
    s.kind = HD_SLICE("ile");
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_OK);
    assert_int_equal(index, 1);
    hd_batch_reader_free(r);
    hd_batch_builder_free(b);
}

static void test_odd_names(void **state)
{
    (void)state;
    struct hd_batch_builder *b = make_builder(0);
    uint16_t index;
    char bytes[HD_BATCH_NAME_MAX + 1];
    memset(bytes, 0xff, sizeof(bytes));
    struct hd_batch_source s = file_source;
    s.name = hd_slice(bytes, sizeof(bytes));
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_ELIMIT);
    s.name = hd_slice(bytes, HD_BATCH_NAME_MAX);
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_OK);
    s.name = hd_slice("a\0b", 3);
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_EINVAL);
    s.name = HD_SLICE("a\"\n\x01");
    assert_int_equal(hd_batch_builder_source(b, &s, &index), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, index, -5, 0, HD_SLICE("x")), HD_OK);
    struct hd_slice frame;
    struct hd_batch_info info;
    assert_int_equal(hd_batch_builder_close(b, 1, &frame, &info), HD_OK);
    struct hd_batch_reader *r = make_reader();
    assert_int_equal(hd_batch_reader_open(r, frame, &info), HD_OK);
    const struct hd_batch_source *sources;
    assert_int_equal(hd_batch_reader_sources(r, &sources), 2);
    assert_int_equal(sources[0].name.len, 3 * HD_BATCH_NAME_MAX);
    assert_text(sources[1].name, "a\"\n\x01");
    assert_int_equal(info.time_min, 0);
    hd_batch_reader_free(r);
    hd_batch_builder_free(b);
}

static void test_full_and_too_long(void **state)
{
    (void)state;
    struct hd_batch_builder *b = make_builder(64 << 10);
    char *line = malloc(HD_BATCH_LINE_MAX + 1);
    memset(line, '\n', HD_BATCH_LINE_MAX + 1);
    uint16_t index;
    struct hd_slice frame;
    struct hd_batch_info info;
    assert_int_equal(hd_batch_builder_source(b, &file_source, &index), HD_OK);
    assert_int_equal(hd_batch_builder_close(b, 1, &frame, &info), HD_ENOENT);
    assert_int_equal(hd_batch_builder_add(b, index, T0, 0, HD_SLICE("x")), HD_EINVAL);
    assert_int_equal(hd_batch_builder_source(b, &file_source, &index), HD_OK);
    assert_int_equal(
        hd_batch_builder_add(b, index, T0, 0, hd_slice(line, HD_BATCH_LINE_MAX + 1)),
        HD_ELIMIT);
    /* longer than raw_max, but the first of its batch */
    assert_int_equal(
        hd_batch_builder_add(b, index, T0, 0, hd_slice(line, HD_BATCH_LINE_MAX)), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, index, T0, 0, HD_SLICE("x")), HD_EFULL);
    assert_int_equal(hd_batch_builder_close(b, 0, &frame, &info), HD_EINVAL);
    assert_int_equal(hd_batch_builder_close(b, 1, &frame, &info), HD_OK);
    struct hd_batch_reader *r = make_reader();
    struct hd_batch_record rec;
    assert_int_equal(hd_batch_reader_open(r, frame, &info), HD_OK);
    assert_int_equal(hd_batch_reader_next(r, &rec), 1);
    assert_int_equal(rec.line.len, HD_BATCH_LINE_MAX);
    assert_memory_equal(rec.line.ptr, line, rec.line.len);
    hd_batch_reader_free(r);
    hd_batch_builder_free(b);
    free(line);
}

static void test_never_above_raw_max(void **state)
{
    (void)state;
    struct hd_batch_builder *b = make_builder(0);
    uint8_t line[200];
    uint64_t x = 88172645463325252U;
    uint16_t index;
    assert_int_equal(hd_batch_builder_source(b, &file_source, &index), HD_OK);
    int err = HD_OK;
    while (err == HD_OK) {
        for (size_t i = 0; i < sizeof(line); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            line[i] = (uint8_t)x;
        }
        err = hd_batch_builder_add(b, index, T0, 0, hd_slice(line, sizeof(line)));
    }
    assert_int_equal(err, HD_EFULL);
    struct hd_slice frame;
    struct hd_batch_info info;
    assert_int_equal(hd_batch_builder_close(b, 1, &frame, &info), HD_OK);
    assert_true(info.raw_len <= HD_BATCH_RAW_MAX);
    assert_true(info.raw_len > HD_BATCH_RAW_MAX - 4096);
    assert_true(frame.len <= HD_BATCH_WIRE_MAX);
    hd_batch_builder_free(b);
}

static void test_refused_arguments(void **state)
{
    (void)state;
    struct hd_batch_builder *b = NULL;
    assert_int_equal(hd_batch_builder_new("", BOOT, 0, 1, &b), HD_EINVAL);
    assert_int_equal(hd_batch_builder_new("\xff", BOOT, 0, 1, &b), HD_EINVAL);
    assert_int_equal(hd_batch_builder_new("a", "0123", 0, 1, &b), HD_EINVAL);
    assert_int_equal(
        hd_batch_builder_new("a", "0123456789ABCDEF0123456789abcdef", 0, 1, &b),
        HD_EINVAL);
    assert_int_equal(hd_batch_builder_new("a", BOOT, HD_BATCH_RAW_MAX + 1, 1, &b),
                     HD_EINVAL);
    assert_int_equal(hd_batch_builder_new("a", BOOT, 0, 0, &b), HD_EINVAL);
    assert_int_equal(hd_batch_builder_new("a", BOOT, 0, 99, &b), HD_EINVAL);
    assert_null(b);
}

/* ---- what may come from anywhere ---- */

static int open_text(struct hd_batch_reader *r, const char *text, size_t len,
                     struct hd_batch_info *info)
{
    size_t cap = ZSTD_compressBound(len);
    uint8_t *frame = malloc(cap);
    size_t n = ZSTD_compress(frame, cap, text, len, 1);
    assert_false(ZSTD_isError(n));
    int err = hd_batch_reader_open(r, hd_slice(frame, n), info);
    free(frame);
    return err;
}

#define SRC "{\"host\":\"h\",\"kind\":\"k\",\"name\":\"n\",\"format\":\"f\"}"
#define HEAD_(v, agent, boot, seqs, times, sources)                                      \
    "{\"v\":" v ",\"agent\":\"" agent "\",\"boot\":\"" boot "\"," seqs "," times         \
    ",\"sources\":[" sources "]}\n"
#define SEQS  "\"first\":1,\"last\":2"
#define TIMES "\"time_min\":1,\"time_max\":2"
#define HEAD  HEAD_("1", "a", BOOT, SEQS, TIMES, SRC)

static void test_bad_headers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {HEAD, HD_OK},
        {HEAD_("1,\"new\":[1]", "a", BOOT, SEQS, TIMES, SRC), HD_OK},
        {"", HD_ECORRUPT},
        {"\n", HD_ECORRUPT},
        {"[]\n", HD_ECORRUPT},
        {"{}\n", HD_ECORRUPT},
        {"{\"v\":1}", HD_ECORRUPT},
        {HEAD_("2", "a", BOOT, SEQS, TIMES, SRC), HD_EVERSION},
        {HEAD_("\"1\"", "a", BOOT, SEQS, TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1,\"v\":1", "a", BOOT, SEQS, TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1", "", BOOT, SEQS, TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1", "a", "1234", SEQS, TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, "\"first\":0,\"last\":2", TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, "\"first\":3,\"last\":2", TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, "\"first\":1,\"last\":9223372036854775807", TIMES, SRC),
         HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, "\"first\":1.5,\"last\":2", TIMES, SRC), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, SEQS, "\"time_min\":3,\"time_max\":2", SRC), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, SEQS, "\"time_min\":-1,\"time_max\":2", SRC), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, SEQS, TIMES, ""), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, SEQS, TIMES, "1"), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, SEQS, TIMES, "{\"host\":\"h\"}"), HD_ECORRUPT},
        {HEAD_("1", "a", BOOT, SEQS, TIMES, SRC "," SRC ",{\"peer\":1}"), HD_ECORRUPT},
    };
    struct hd_batch_reader *r = make_reader();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hd_batch_info info;
        int err = open_text(r, cases[i].text, strlen(cases[i].text), &info);
        if (err != cases[i].err) {
            fail_msg("case %zu: %d instead of %d", i, err, cases[i].err);
        }
        struct hd_batch_record rec;
        if (err != HD_OK) {
            assert_int_equal(hd_batch_reader_next(r, &rec), 0);
        }
    }
    hd_batch_reader_free(r);
}

static void test_bad_records(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int good; /* records before the end */
        int then;
    } cases[] = {
        {"1.000001 0 a\n1.000001 0 b\n", 2, 0},
        {"1.000001 0 a\n2.000001 0 b", 1, HD_ECORRUPT},
        {"1.000001 0 a\n", 1, HD_ECORRUPT},
        {"1.000001 0 a\n1.000001 0 b\n1.000001 0 c\n", 2, HD_ECORRUPT},
        {"1.000001 1 a\n", 0, HD_ECORRUPT},
        {"1.00001 0 a\n", 0, HD_ECORRUPT},
        {"1.0000011 0 a\n", 0, HD_ECORRUPT},
        {"12345678901.000001 0 a\n", 0, HD_ECORRUPT},
        {"9999999999.000001 0 a\n", 0, HD_ECORRUPT},
        {".000001 0 a\n", 0, HD_ECORRUPT},
        {"1.000001 0a\n", 0, HD_ECORRUPT},
        {"1.000001 0\n", 0, HD_ECORRUPT},
        {"1.000001 0te a\n", 0, HD_ECORRUPT},
        {"1.000001 0x a\n", 0, HD_ECORRUPT},
        {"1.000001 0000 a\n", 0, HD_ECORRUPT},
        {"1.000001 0e a\\\n", 0, HD_ECORRUPT},
        {"1.000001 0e a\\t\n", 0, HD_ECORRUPT},
        {"1.000001 \n", 0, HD_ECORRUPT},
        {"\n\n", 0, HD_ECORRUPT},
        {"", 0, HD_ECORRUPT},
    };
    struct hd_batch_reader *r = make_reader();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        struct hd_batch_info info;
        struct hd_batch_record rec;
        (void)snprintf(text, sizeof(text), "%s%s", HEAD, cases[i].text);
        assert_int_equal(open_text(r, text, strlen(text), &info), HD_OK);
        for (int n = 0; n < cases[i].good; n++) {
            assert_int_equal(hd_batch_reader_next(r, &rec), 1);
        }
        int got = hd_batch_reader_next(r, &rec);
        if (got != cases[i].then) {
            fail_msg("case %zu: %d instead of %d", i, got, cases[i].then);
        }
        assert_int_equal(hd_batch_reader_next(r, &rec), 0);
    }
    hd_batch_reader_free(r);
}

static void test_bad_frames(void **state)
{
    (void)state;
    struct hd_batch_reader *r = make_reader();
    struct hd_batch_info info;
    /* a bomb: the size is said in the frame's header, or not */
    size_t len = HD_BATCH_RAW_MAX + 1;
    char *text = calloc(1, len);
    memcpy(text, HEAD, strlen(HEAD));
    assert_int_equal(open_text(r, text, len, &info), HD_ELIMIT);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
    uint8_t *frame = malloc(ZSTD_compressBound(len));
    size_t n = ZSTD_compress2(zstd, frame, ZSTD_compressBound(len), text, len);
    assert_int_equal(hd_batch_reader_open(r, hd_slice(frame, n), &info), HD_ELIMIT);
    n = ZSTD_compress2(zstd, frame, ZSTD_compressBound(len), HEAD, strlen(HEAD));
    assert_int_equal(hd_batch_reader_open(r, hd_slice(frame, n), &info), HD_OK);
    /* every prefix, one byte too many, every bit flipped: refused or harmless */
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(hd_batch_reader_open(r, hd_slice(frame, cut), &info),
                         HD_ECORRUPT);
    }
    assert_int_equal(hd_batch_reader_open(r, hd_slice(frame, n + 1), &info), HD_ECORRUPT);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
        struct hd_batch_record rec;
        if (hd_batch_reader_open(r, hd_slice(frame, n), &info) == HD_OK) {
            while (hd_batch_reader_next(r, &rec) == 1) {
            }
        }
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'};
    assert_int_equal(
        hd_batch_reader_open(r, hd_slice(skippable, sizeof(skippable)), &info),
        HD_ECORRUPT);
    assert_int_equal(
        hd_batch_reader_open(r, hd_slice(text, HD_BATCH_WIRE_MAX + 0), &info),
        HD_ECORRUPT);
    (void)ZSTD_freeCCtx(zstd);
    free(frame);
    free(text);
    hd_batch_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_as_documented),
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_any_record_can_be_read_by_its_place),
        cmocka_unit_test(test_same_source_is_found),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_full_and_too_long),
        cmocka_unit_test(test_never_above_raw_max),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_records),
        cmocka_unit_test(test_bad_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
