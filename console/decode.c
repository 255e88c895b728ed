/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang decode: lines in, events as JSON out, one a line: which decoder and pattern
 * knew the line, and its fields. The same decoding as the correlator's.
 */
#include <haidang/clock.h>
#include <haidang/json.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/command.h"
#include "console/data.h"
#include "rules/decode/decode.h"

struct decode {
    struct rul_fields *fields;
    struct rul_decoders *decoders;
    struct rul_decode_scratch *scratch;
    struct rul_event *event;
    struct hd_batch_source source;
    struct hd_buf out;
};

static void write_event(struct decode *d, int64_t recv_ns, struct hd_slice line)
{
    const struct rul_record record = {
        .source = &d->source, .recv_ns = recv_ns, .line = line};
    rul_decode(d->decoders, d->scratch, &record, d->event);
    const struct rul_event *ev = d->event;
    struct hd_json j = hd_json(&d->out);
    hd_json_object(&j, NULL);
    if (ev->decoder != NULL) {
        hd_json_cstr(&j, "decoder", ev->decoder);
    } else {
        hd_json_null(&j, "decoder");
    }
    if (ev->pattern != NULL) {
        hd_json_cstr(&j, "pattern", ev->pattern);
    }
    hd_json_time(&j, "time", ev->time_ns, 6);
    hd_json_bool(&j, "has_own_time", ev->has_own_time);
    hd_json_object(&j, "fields");
    for (uint16_t i = 0; i < ev->n; i++) {
        hd_json_key(&j, rul_fields_name(d->fields, ev->ids[i]));
        hd_json_str(&j, NULL, ev->values[ev->ids[i]]);
    }
    hd_json_end(&j, '}');
    hd_json_end(&j, '}');
    hd_buf_byte(&d->out, '\n');
}

static int flush(struct decode *d)
{
    size_t n = fwrite(d->out.ptr, 1, d->out.len, stdout);
    bool is_short = n != d->out.len || fflush(stdout) != 0;
    hd_buf_clear(&d->out);
    return is_short ? HD_ECLOSED : HD_OK;
}

/* Whole lines of `in` (and, at the end of the input, the unfinished one). */
static int take_lines(struct decode *d, struct hd_buf *in, bool is_end)
{
    struct hd_slice rest = hd_buf_slice(in);
    int64_t now = hd_clock_wall_ns();
    size_t used = 0;
    while (rest.len > 0) {
        size_t at = hd_slice_find_byte(rest, '\n');
        if (at == HD_NPOS && !is_end && rest.len < HD_BATCH_LINE_MAX) {
            break;
        }
        size_t len = at != HD_NPOS ? at : rest.len;
        write_event(
            d, now,
            hd_slice_head(rest, len < HD_BATCH_LINE_MAX ? len : HD_BATCH_LINE_MAX));
        len += at != HD_NPOS;
        used += len;
        rest = hd_slice_from(rest, len);
    }
    hd_buf_consume(in, used);
    return flush(d);
}

static int decode_fd(struct decode *d, int fd)
{
    struct hd_buf in;
    int err = HD_OK;
    hd_buf_init(&in, 0);
    for (;;) {
        uint8_t *room = hd_buf_reserve(&in, 65536);
        if (room == NULL) {
            err = HD_ENOMEM;
            break;
        }
        ssize_t n = read(fd, room, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err = hd_err_from_errno(errno);
            break;
        }
        in.len += (size_t)n;
        err = take_lines(d, &in, n == 0);
        if (n == 0 || err != 0) {
            break;
        }
    }
    hd_buf_fini(&in);
    return err;
}

static int open_decoders(struct decode *d, const struct con_args *args)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct con_data_path room;
    const struct rul_decoders_opts opts = {.dir = con_data_decoders(args, &room),
                                           .time_zone = con_args_value(args, "zone")};
    int err = rul_fields_new(&d->fields);
    err = err == 0 ? rul_decoders_load(&opts, d->fields, &d->decoders, &diags) : err;
    err = err == 0 ? rul_decode_scratch_new(&d->scratch) : err;
    d->event = calloc(1, sizeof(*d->event));
    if (err == 0 && d->event == NULL) {
        err = HD_ENOMEM;
    }
    return err == 0
               ? HD_OK
               : con_fail(err,
                          "cannot load the decoders in %s; name them with --decoders",
                          opts.dir);
}

static int decode_operand(struct decode *d, const char *name)
{
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return con_fail(HD_EXIT_RUNTIME, "cannot read %s: %s", name,
                        hd_err_text(hd_err_from_errno(errno)));
    }
    int err = decode_fd(d, fd);
    if (fd != STDIN_FILENO) {
        (void)close(fd);
    }
    if (err != 0 && err != HD_ECLOSED) {
        return con_fail(HD_EXIT_RUNTIME, "%s: %s", name, hd_err_text(err));
    }
    return HD_EXIT_OK;
}

int con_run_decode(const struct con_args *args)
{
    const char *format = con_args_value(args, "format");
    const char *host = con_args_value(args, "host");
    struct decode d = {
        .source = {.host = hd_slice_str(host != NULL ? host : "localhost"),
                   .kind = HD_SLICE("stdin"),
                   .name = hd_slice_str(args->operands[0]),
                   .format = hd_slice_str(format != NULL ? format : "auto")}};
    int code = HD_EXIT_CONFIG;
    hd_buf_init(&d.out, 0);
    if (open_decoders(&d, args) == 0) {
        code = decode_operand(&d, args->operands[0]);
    }
    rul_decode_scratch_free(d.scratch);
    rul_decoders_free(d.decoders);
    rul_fields_free(d.fields);
    free(d.event);
    hd_buf_fini(&d.out);
    return code;
}
