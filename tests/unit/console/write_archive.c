/* SPDX-License-Identifier: Apache-2.0
 *
 * An archive as the correlator writes it, for tests that run programs on one.
 *
 *     write_archive DIR [segment bytes] < ORDERS
 *
 * An order a line, its words separated by tabs:
 *     batch  AGENT FIRST             begins a batch of the agent with this sequence
 *     source HOST KIND NAME PEER     its sources, counted from 0
 *     line   NS SOURCE FLAGS HEX     FLAGS: t or -; the line in hex
 *     end                            archives the batch
 *     raw    HEX                     archives these bytes as if they were a batch
 *     text   FROM TO HEX             archives an entry of text, as of alerts, of these ns
 *     commit                         makes durable what was archived
 *     abandon                        ends at once, as a crash would
 */
#include <haidang/batch.h>
#include <haidang/journal.h>
#include <haidang/num.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define BOOT      "0123456789abcdef0123456789abcdef"
#define WORDS_MAX 6U

static struct {
    struct hd_journal *journal;
    struct hd_batch_builder *builder;
    char agent[256];
    uint64_t first;
    unsigned line_no;
} made;

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "write_archive: order %u: %s\n", made.line_no, what);
        exit(1);
    }
}

static uint64_t number(struct hd_slice word)
{
    uint64_t value = 0;
    must(hd_num_u64(word, UINT64_MAX, &value) == HD_OK, "not a number");
    return value;
}

static struct hd_buf bytes(struct hd_slice hex)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    uint8_t *to = hd_buf_reserve(&out, hex.len / 2 + 1);
    must(to != NULL && hd_num_hex_bytes(hex, to, hex.len / 2) == HD_OK, "not hex");
    out.len = hex.len / 2;
    return out;
}

static void append(struct hd_journal_entry *entry)
{
    struct hd_buf meta;
    struct hd_slice texts[] = {hd_slice_str(made.agent), HD_SLICE(BOOT),
                               HD_SLICE("192.0.2.1:50123")};
    hd_buf_init(&meta, 0);
    hd_buf_byte(&meta, 1);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        hd_buf_byte(&meta, (uint8_t)texts[i].len);
        hd_buf_slice_add(&meta, texts[i]);
    }
    hd_buf_le64(&meta, 1);
    entry->meta = hd_buf_slice(&meta);
    must(hd_journal_append(made.journal, entry) == HD_OK, "cannot append");
    hd_buf_fini(&meta);
}

static void begin_batch(const struct hd_slice *words)
{
    must(words[1].len < sizeof(made.agent), "agent");
    memcpy(made.agent, words[1].ptr, words[1].len);
    made.agent[words[1].len] = '\0';
    made.first = number(words[2]);
    must(hd_batch_builder_new(made.agent, BOOT, HD_BATCH_RAW_MAX, 1, &made.builder) ==
             HD_OK,
         "builder");
}

static void add_source(const struct hd_slice *words)
{
    const struct hd_batch_source source = {.host = words[1],
                                           .kind = words[2],
                                           .name = words[3],
                                           .peer = words[4],
                                           .format = HD_SLICE("auto")};
    uint16_t index;
    must(hd_batch_builder_source(made.builder, &source, &index) == HD_OK, "source");
}

static void add_line(const struct hd_slice *words)
{
    struct hd_buf line = bytes(words[4]);
    unsigned flags = hd_slice_eq(words[3], HD_SLICE("t")) ? HD_BATCH_TRUNCATED : 0;
    must(hd_batch_builder_add(made.builder, (uint16_t)number(words[2]),
                              (int64_t)number(words[1]), flags,
                              hd_buf_slice(&line)) == HD_OK,
         "line");
    hd_buf_fini(&line);
}

static void end_batch(void)
{
    struct hd_batch_info info;
    struct hd_slice frame;
    must(hd_batch_builder_close(made.builder, made.first, &frame, &info) == HD_OK,
         "close");
    append(&(struct hd_journal_entry){.first = info.first,
                                      .last = info.last,
                                      .time_min = info.time_min,
                                      .time_max = info.time_max,
                                      .count = info.count,
                                      .raw_len = info.raw_len,
                                      .payload = frame});
    hd_batch_builder_free(made.builder);
}

static void add_raw(const struct hd_slice *words)
{
    struct hd_buf payload = bytes(words[1]);
    append(&(struct hd_journal_entry){
        .first = 1, .last = 1, .count = 1, .payload = hd_buf_slice(&payload)});
    hd_buf_fini(&payload);
}

static void add_text(const struct hd_slice *words)
{
    struct hd_buf text = bytes(words[3]), frame;
    hd_buf_init(&frame, 0);
    size_t cap = ZSTD_compressBound(text.len);
    uint8_t *to = hd_buf_reserve(&frame, cap);
    must(to != NULL, "no memory");
    frame.len = ZSTD_compress(to, cap, text.ptr, text.len, 1);
    append(&(struct hd_journal_entry){.first = 1,
                                      .last = 1,
                                      .count = 1,
                                      .time_min = (int64_t)number(words[1]),
                                      .time_max = (int64_t)number(words[2]),
                                      .raw_len = (uint32_t)text.len,
                                      .payload = hd_buf_slice(&frame)});
    hd_buf_fini(&frame);
    hd_buf_fini(&text);
}

static void obey(struct hd_slice rest)
{
    struct hd_slice words[WORDS_MAX] = {0};
    for (size_t n = 0; n < WORDS_MAX && hd_slice_split(&rest, '\t', &words[n]); n++) {
    }
    if (hd_slice_eq(words[0], HD_SLICE("batch"))) {
        begin_batch(words);
    } else if (hd_slice_eq(words[0], HD_SLICE("source"))) {
        add_source(words);
    } else if (hd_slice_eq(words[0], HD_SLICE("line"))) {
        add_line(words);
    } else if (hd_slice_eq(words[0], HD_SLICE("end"))) {
        end_batch();
    } else if (hd_slice_eq(words[0], HD_SLICE("raw"))) {
        add_raw(words);
    } else if (hd_slice_eq(words[0], HD_SLICE("text"))) {
        add_text(words);
    } else if (hd_slice_eq(words[0], HD_SLICE("commit"))) {
        must(hd_journal_commit(made.journal) == HD_OK, "commit");
    } else if (hd_slice_eq(words[0], HD_SLICE("abandon"))) {
        _exit(0);
    } else {
        must(false, "no such order");
    }
}

int main(int argc, char **argv)
{
    struct hd_journal_recovery found;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    must(argc > 1, "no directory");
    const struct hd_journal_opts opts = {
        .dir = argv[1], .segment_bytes = argc > 2 ? number(hd_slice_str(argv[2])) : 0};
    must(hd_journal_open(&opts, &made.journal, &found) == HD_OK, "cannot open");
    while ((len = getline(&line, &cap, stdin)) > 0) {
        made.line_no++;
        obey(hd_slice(line, (size_t)len - 1));
    }
    free(line);
    hd_journal_close(made.journal);
    return 0;
}
