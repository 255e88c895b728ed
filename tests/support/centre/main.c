/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang-centre: stands for the national centre on one's own machine. Prints a line for
 * each alert and writes what it got as JSON lines. For trying and testing only.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/loop.h>

#include "tests/support/centre/centre.h"
#include "tests/support/centre/schema.h"

static struct {
    struct centre *centre;
    struct hd_signals *signals;
    struct hd_tls *tls;
    FILE *out;
    unsigned taken, refused;
} self;

static const char usage[] =
    "haidang-centre: a test centre for alerts, on this machine only\n"
    "  --cert FILE --key FILE    its certificate (mandatory)\n"
    "  --ca FILE                 require client certificates of this CA\n"
    "  --listen HOST:PORT        default 127.0.0.1:0\n"
    "  --port-file FILE          where to write the port\n"
    "  --schema FILE             JSON Schema that each alert must fit\n"
    "  --path PATH               take alerts there only\n"
    "  --authorization TEXT      the Authorization header to require\n"
    "  --out FILE                append each request as a JSON line\n"
    "  --answers 'WORDS'         what to answer: 200 | STATUS[:RETRY-AFTER] | slow:MS |\n"
    "                            hang | reset | drop | big; one a request, the last "
    "stays\n"
    "  --control FILE            the same from a file, read again when it changes\n";

static const char *text_of(const json_t *body, const char *key)
{
    const char *text = json_string_value(json_object_get(body, key));
    return text == NULL ? "?" : text;
}

static void print_alert(const struct centre_alert *alert)
{
    if (alert->body == NULL || alert->why[0] != '\0') {
        (void)printf("#%u REFUSED %u: %s\n", alert->number, alert->status, alert->why);
        return;
    }
    (void)printf("#%u %s severity %d  %s  %s -> %s  host %s  (valid, answered %u)\n",
                 alert->number, alert->is_taken ? "TAKEN" : "NOT TAKEN",
                 (int)json_integer_value(json_object_get(alert->body, "severity")),
                 text_of(alert->body, "signature"), text_of(alert->body, "src_ip"),
                 text_of(alert->body, "dest_ip"), text_of(alert->body, "host"),
                 alert->status);
}

static void write_alert(const struct centre_alert *alert)
{
    char now[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(hd_clock_wall_ns(), 3, now);
    json_t *line = json_pack(
        "{s:s, s:i, s:i, s:b, s:s, s:s, s:s%, s:s%, s:O?}", "time", now, "number",
        (int)alert->number, "status", (int)alert->status, "taken", (int)alert->is_taken,
        "why", alert->why, "peer", alert->peer, "method", (const char *)alert->method.ptr,
        alert->method.len, "path", (const char *)alert->target.ptr, alert->target.len,
        "body", alert->body);
    if (line != NULL) {
        (void)json_dumpf(line, self.out, JSON_COMPACT);
        (void)fputc('\n', self.out);
        (void)fflush(self.out);
        json_decref(line);
    }
}

static void on_alert(void *ctx, const struct centre_alert *alert)
{
    (void)ctx;
    self.taken += alert->is_taken ? 1 : 0;
    self.refused += alert->is_taken ? 0 : 1;
    print_alert(alert);
    (void)fflush(stdout);
    if (self.out != NULL) {
        write_alert(alert);
    }
}

static void on_stop(void *ctx)
{
    (void)ctx;
    if (self.centre != NULL) {
        centre_close(self.centre);
        self.centre = NULL;
        hd_signals_close(self.signals);
    }
}

struct options {
    const char *listen, *cert, *key, *ca, *port_file, *schema, *path, *authorization,
        *out, *answers, *control;
};

static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option list[] = {{"listen", required_argument, NULL, 'l'},
                                         {"cert", required_argument, NULL, 'c'},
                                         {"key", required_argument, NULL, 'k'},
                                         {"ca", required_argument, NULL, 'a'},
                                         {"port-file", required_argument, NULL, 'p'},
                                         {"schema", required_argument, NULL, 's'},
                                         {"path", required_argument, NULL, 'u'},
                                         {"authorization", required_argument, NULL, 't'},
                                         {"out", required_argument, NULL, 'o'},
                                         {"answers", required_argument, NULL, 'n'},
                                         {"control", required_argument, NULL, 'f'},
                                         {"help", no_argument, NULL, 'h'},
                                         {0}};
    static const char letters[] = "lckapsuto"
                                  "nf";
    const char **target[] = {&o->listen,    &o->cert,    &o->key,    &o->ca,
                             &o->port_file, &o->schema,  &o->path,   &o->authorization,
                             &o->out,       &o->answers, &o->control};
    int letter;
    while ((letter = getopt_long(argc, argv, "", list, NULL)) != -1) {
        const char *at = strchr(letters, letter);
        if (letter == 'h' || at == NULL) {
            (void)fputs(usage, letter == 'h' ? stdout : stderr);
            return letter == 'h' ? 1 : -1;
        }
        *target[at - letters] = optarg;
    }
    if (o->cert == NULL || o->key == NULL || optind != argc) {
        (void)fputs(usage, stderr);
        return -1;
    }
    return 0;
}

static json_t *load_schema(const char *path)
{
    json_error_t error;
    char why[256];
    json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (schema == NULL) {
        (void)fprintf(stderr, "haidang-centre: %s: %s\n", path, error.text);
    } else if (schema_check(schema, why) != 0) {
        (void)fprintf(stderr, "haidang-centre: %s: %s\n", path, why);
        json_decref(schema);
        schema = NULL;
    }
    return schema;
}

static int write_port(const char *path, uint16_t port)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%u\n", port);
    return hd_fs_write_atomic(path, hd_slice(text, (size_t)n), 0644);
}

static int open_centre(uv_loop_t *loop, const struct options *o, const json_t *schema)
{
    char why[256] = "";
    const struct hd_tls_opts tls = {.role = HD_TLS_SERVER,
                                    .cert_file = o->cert,
                                    .key_file = o->key,
                                    .ca_file = o->ca,
                                    .require_client_cert = o->ca != NULL};
    int err = hd_tls_new(&tls, &self.tls, why);
    const struct centre_opts opts = {.listen =
                                         o->listen == NULL ? "127.0.0.1:0" : o->listen,
                                     .tls = self.tls,
                                     .schema = schema,
                                     .path = o->path,
                                     .authorization = o->authorization,
                                     .control_file = o->control,
                                     .answers = o->answers,
                                     .on_alert = on_alert};
    if (err == HD_OK) {
        err = centre_open(loop, &opts, &self.centre, why);
    }
    if (err == HD_OK && o->port_file != NULL) {
        err = write_port(o->port_file, centre_port(self.centre));
    }
    if (err != HD_OK) {
        (void)fprintf(stderr, "haidang-centre: %s\n",
                      why[0] == '\0' ? hd_err_text(err) : why);
        return HD_EXIT_RUNTIME;
    }
    (void)printf("centre: listening on port %u\n", centre_port(self.centre));
    (void)fflush(stdout);
    return HD_EXIT_OK;
}

static int run(const struct options *o, const json_t *schema)
{
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0) {
        return HD_EXIT_RUNTIME;
    }
    const struct hd_signals_ops ops = {.stop = on_stop};
    int code = open_centre(&loop, o, schema);
    if (code == HD_EXIT_OK && hd_signals_open(&loop, &ops, &self.signals) == HD_OK) {
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        (void)printf("centre: %u alerts taken, %u not\n", self.taken, self.refused);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    hd_tls_free(self.tls);
    return code;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    int parsed = parse_options(argc, argv, &o);
    if (parsed != 0) {
        return parsed > 0 ? HD_EXIT_OK : HD_EXIT_USAGE;
    }
    json_t *schema = NULL;
    if (o.schema != NULL && (schema = load_schema(o.schema)) == NULL) {
        return HD_EXIT_CONFIG;
    }
    if (o.out != NULL && (self.out = fopen(o.out, "a")) == NULL) {
        perror(o.out);
        return HD_EXIT_STORE;
    }
    int code = run(&o, schema);
    if (self.out != NULL) {
        (void)fclose(self.out);
    }
    json_decref(schema);
    return code;
}
