/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collector/records.h"

#include <pcap/pcap.h>
#include <string.h>

#include <haidang/clock.h>

#include "tests/support/support.h"

static void emit(void *ctx, struct hd_slice line)
{
    struct records *r = ctx;
    json_error_t error;
    json_t *record =
        json_loadb((const char *)line.ptr, line.len, JSON_REJECT_DUPLICATES, &error);
    if (record == NULL) {
        fail_msg("%s: %.*s", error.text, HD_SLICE_FMT(line));
    }
    assert_null(memchr(line.ptr, '\n', line.len));
    assert_int_equal(json_array_append_new(r->all, record), 0);
}

void records_open(struct records *r, const struct col_inspect_opts *opts)
{
    struct col_inspect_opts mine = opts == NULL ? (struct col_inspect_opts){0} : *opts;
    mine.emit = emit;
    mine.ctx = r;
    *r = (struct records){.all = json_array(), .link = COL_LINK_ETHERNET};
    assert_non_null(r->all);
    assert_int_equal(col_inspector_new(&mine, &r->inspector), HD_OK);
}

void records_close(struct records *r)
{
    col_inspector_free(r->inspector);
    json_decref(r->all);
}

void records_flush(struct records *r)
{
    while (col_inspect_flush(r->inspector, 16) > 0) {
    }
}

void records_frame(void *ctx, int64_t ns, struct hd_slice frame)
{
    struct records *r = ctx;
    struct col_captured captured = {
        .ns = ns,
        .wire_len = (uint32_t)frame.len,
        .link = r->link,
        .bytes = r->snap == 0 ? frame : hd_slice_head(frame, r->snap),
    };
    col_inspect_frame(r->inspector, &captured);
}

void records_file(struct records *r, const char *path)
{
    char why[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *header = NULL;
    const u_char *bytes = NULL;
    pcap_t *file =
        pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
    if (file == NULL) {
        fail_msg("%s: %s", path, why);
    }
    while (pcap_next_ex(file, &header, &bytes) == 1) {
        struct col_captured captured = {
            .ns = header->ts.tv_sec * HD_NS_PER_SEC + header->ts.tv_usec,
            .wire_len = header->len,
            .link = pcap_datalink(file),
            .bytes = hd_slice(bytes, header->caplen),
        };
        col_inspect_frame(r->inspector, &captured);
    }
    pcap_close(file);
    records_flush(r);
}

static const json_t *find(const struct records *r, const char *type, size_t n,
                          size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < json_array_size(r->all); i++) {
        const json_t *record = json_array_get(r->all, i);
        if (strcmp(records_text(record, "event_type"), type) != 0) {
            continue;
        }
        if (*count == n) {
            return record;
        }
        *count += 1;
    }
    return NULL;
}

size_t records_count(const struct records *r, const char *type)
{
    size_t count = 0;
    (void)find(r, type, SIZE_MAX, &count);
    return count;
}

const json_t *records_get(const struct records *r, const char *type, size_t n)
{
    size_t count = 0;
    const json_t *record = find(r, type, n, &count);
    if (record == NULL) {
        fail_msg("no %s record %zu, only %zu", type, n, count);
    }
    return record;
}

static const json_t *member(const json_t *record, const char *path)
{
    struct hd_slice rest = hd_slice_str(path);
    struct hd_slice key;
    while (record != NULL && hd_slice_split(&rest, '.', &key)) {
        char name[64];
        assert_true(key.len < sizeof(name));
        memcpy(name, key.ptr, key.len);
        name[key.len] = '\0';
        record = json_object_get(record, name);
    }
    return record;
}

const char *records_text(const json_t *record, const char *path)
{
    const char *text = json_string_value(member(record, path));
    return text == NULL ? "" : text;
}

json_int_t records_int(const json_t *record, const char *path)
{
    return json_integer_value(member(record, path));
}
