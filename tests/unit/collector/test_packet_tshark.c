/* SPDX-License-Identifier: Apache-2.0
 *
 * The records against what tshark says of the same capture; skipped without tshark.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/collector/records.h"

#define ROWS_MAX 64
#define FIELDS   9

/* What both say of one message, in the order of the command below. */
struct row {
    char field[FIELDS][256];
};

static struct row theirs[ROWS_MAX];
static struct row ours[ROWS_MAX];

/* ---- the capture ---- */

static void write_frame(void *ctx, int64_t ns, struct hd_slice frame)
{
    uint8_t header[HD_TEST_PCAP_FRAME];
    hd_test_pcap_frame(ns, frame.len, header);
    assert_int_equal(fwrite(header, sizeof(header), 1, ctx), 1);
    assert_int_equal(fwrite(frame.ptr, frame.len, 1, ctx), 1);
}

static void write_dns(struct hd_test_talk *t)
{
    static const uint8_t v4[4] = {203, 0, 113, 9};
    static const uint8_t v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 7};
    uint8_t dns[512];
    t->server_port = 53;
    hd_test_udp(t, 0, hd_slice(dns, hd_test_dns("www.mic.gov.vn", 1, NULL, dns)));
    hd_test_udp(t, 1, hd_slice(dns, hd_test_dns("www.mic.gov.vn", 1, v4, dns)));
    hd_test_udp(t, 0, hd_slice(dns, hd_test_dns("_x.a-b.vn", 28, NULL, dns)));
    hd_test_udp(t, 1, hd_slice(dns, hd_test_dns("_x.a-b.vn", 28, v6, dns)));
    hd_test_udp(t, 0, hd_slice(dns, hd_test_dns("example.vn", 16, NULL, dns)));
}

static void write_http(struct hd_test_talk *t)
{
    t->server_port = 80;
    hd_test_open(t);
    hd_test_tcp(t, 0, COL_TCP_ACK,
                HD_SLICE("GET /a/../etc/passwd?x=%27 HTTP/1.1\r\nHost: www.exam"));
    hd_test_tcp(t, 1, COL_TCP_ACK, HD_SLICE_EMPTY);
    hd_test_tcp(t, 0, COL_TCP_ACK, HD_SLICE("ple.vn\r\nUser-Agent: Nikto/2.5\r\n\r\n"));
    hd_test_tcp(t, 1, COL_TCP_ACK,
                HD_SLICE("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    hd_test_tcp(t, 0, COL_TCP_ACK,
                HD_SLICE("POST /login HTTP/1.1\r\nHost: www.example.vn\r\n"
                         "Content-Length: 7\r\n\r\nuser=me"));
    hd_test_close(t);
}

static void write_tls(struct hd_test_talk *t)
{
    uint8_t hello[2048];
    size_t len = hd_test_client_hello("dichvucong.example.vn", hello);
    t->server_port = 443;
    hd_test_open(t);
    hd_test_tcp(t, 0, COL_TCP_ACK, hd_slice(hello, 100));
    hd_test_tcp(t, 1, COL_TCP_ACK, HD_SLICE_EMPTY);
    hd_test_tcp(t, 0, COL_TCP_ACK, hd_slice(hello + 100, len - 100));
    hd_test_close(t);
}

static const char *write_capture(void)
{
    static char path[512];
    uint8_t header[HD_TEST_PCAP_HEADER];
    (void)snprintf(path, sizeof(path), "%s/x.pcap", hd_test_tmpdir());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    hd_test_pcap_header(COL_LINK_ETHERNET, header);
    assert_int_equal(fwrite(header, sizeof(header), 1, file), 1);
    struct hd_test_talk t = hd_test_talk(write_frame, file);
    write_dns(&t);
    write_http(&t);
    write_tls(&t);
    t.client = "2001:db8::1";
    t.server = "2001:db8::2";
    write_dns(&t);
    write_http(&t);
    write_tls(&t);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* ---- both readings ---- */

/* Runs tshark; its standard output goes to `out`. False when it is not installed. */
static bool run_tshark(const char *path, const char *out)
{
    char *argv[] = {"tshark",
                    "-r",
                    (char *)path,
                    "--enable-protocol",
                    "communityid",
                    "-Y",
                    "dns || http.request || tls.handshake.type == 1",
                    "-T",
                    "fields",
                    "-E",
                    "separator=|",
                    "-e",
                    "communityid",
                    "-e",
                    "dns.qry.name",
                    "-e",
                    "dns.a",
                    "-e",
                    "dns.aaaa",
                    "-e",
                    "http.request.method",
                    "-e",
                    "http.request.uri",
                    "-e",
                    "http.host",
                    "-e",
                    "http.user_agent",
                    "-e",
                    "tls.handshake.extensions_server_name",
                    NULL};
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    int status = 0;
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    (void)posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT, 0600);
    (void)posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int err = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    if (err != 0) {
        return false;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static size_t read_theirs(const char *path)
{
    char out[512];
    char line[4096];
    size_t n = 0;
    (void)snprintf(out, sizeof(out), "%s/fields", hd_test_tmpdir());
    if (!run_tshark(path, out)) {
        return 0;
    }
    FILE *file = fopen(out, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL && n < ROWS_MAX) {
        struct hd_slice rest = hd_slice_trim(hd_slice_str(line));
        struct hd_slice field;
        for (size_t i = 0; i < FIELDS && hd_slice_split(&rest, '|', &field); i++) {
            (void)snprintf(theirs[n].field[i], sizeof(theirs[n].field[i]), "%.*s",
                           HD_SLICE_FMT(field));
        }
        n++;
    }
    assert_int_equal(fclose(file), 0);
    return n;
}

static void set(struct row *row, size_t field, const char *text)
{
    (void)snprintf(row->field[field], sizeof(row->field[field]), "%s", text);
}

static void from_record(struct row *row, const json_t *record)
{
    const json_t *answers = json_object_get(json_object_get(record, "dns"), "answers");
    const char *rdata = records_text(json_array_get(answers, 0), "rdata");
    bool is_v6 = strchr(rdata, ':') != NULL;
    set(row, 0, records_text(record, "community_id"));
    set(row, 1, records_text(record, "dns.rrname"));
    set(row, 2, is_v6 ? "" : rdata);
    set(row, 3, is_v6 ? rdata : "");
    set(row, 4, records_text(record, "http.http_method"));
    set(row, 5, records_text(record, "http.url"));
    set(row, 6, records_text(record, "http.hostname"));
    set(row, 7, records_text(record, "http.http_user_agent"));
    set(row, 8, records_text(record, "tls.sni"));
}

static size_t read_ours(const char *path)
{
    struct records r;
    size_t n = 0;
    records_open(&r, NULL);
    records_file(&r, path);
    for (size_t i = 0; i < json_array_size(r.all); i++) {
        const json_t *record = json_array_get(r.all, i);
        if (strcmp(records_text(record, "event_type"), "flow") != 0) {
            assert_true(n < ROWS_MAX);
            from_record(&ours[n++], record);
        }
    }
    records_close(&r);
    return n;
}

static void test_same_as_tshark(void **state)
{
    (void)state;
    const char *path = write_capture();
    size_t n = read_ours(path);
    assert_int_equal(n, 16);
    size_t found = read_theirs(path);
    if (found == 0) {
        hd_test_skip("tshark is not installed");
    }
    assert_int_equal(found, n);
    for (size_t i = 0; i < n; i++) {
        for (size_t field = 0; field < FIELDS; field++) {
            assert_string_equal(ours[i].field[field], theirs[i].field[field]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_tshark)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
