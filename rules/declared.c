/* SPDX-License-Identifier: Apache-2.0
 *
 * Events whose log sources were declared by whoever has them: two decoders made here, one
 * of JSON objects (format "declared-json") that keeps the fields as they are named, one
 * of any other line (format "declared-text"). Written as a decoder file, so that declared
 * events are read exactly as all others are.
 */
#include "rules/declared.h"

#include <haidang/json.h>

#include "rules/decode/decoder.h"

/* Where the time of an event stands, first come first served. */
static const char *const times[] = {"@timestamp",  "timestamp", "time",
                                    "ts",          "eventTime", "UtcTime",
                                    "TimeCreated", "EventTime", "event.created"};

static void write_decoder(const struct rul_set_opts *opts, bool is_json,
                          struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "decoder", is_json ? "declared-json" : "declared-text");
    hd_json_object(&j, "match");
    hd_json_array(&j, "format");
    hd_json_cstr(&j, NULL, is_json ? "declared-json" : "declared-text");
    hd_json_end(&j, ']');
    if (is_json) {
        hd_json_object(&j, "json");
        hd_json_end(&j, '}');
    }
    hd_json_end(&j, '}');
    hd_json_array(&j, "time");
    for (size_t i = 0; is_json && i < sizeof(times) / sizeof(times[0]); i++) {
        hd_json_cstr(&j, NULL, times[i]);
    }
    hd_json_end(&j, ']');
    hd_json_array(&j, "logsource");
    for (size_t i = 0; i < opts->n_declared; i++) {
        const struct rul_logsource *s = &opts->declared[i];
        const struct hd_slice parts[] = {s->product, s->category, s->service};
        static const char *const names[] = {"product", "category", "service"};
        hd_json_object(&j, NULL);
        for (size_t k = 0; k < 3; k++) {
            if (parts[k].len > 0) {
                hd_json_str(&j, names[k], parts[k]);
            }
        }
        hd_json_end(&j, '}');
    }
    hd_json_end(&j, ']');
    hd_json_end(&j, '}');
}

int rul_declare_decoders(const struct rul_set_opts *opts, struct rul_fields *fields,
                         struct rul_decoders **out, struct hd_diags *diags)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    write_decoder(opts, true, &text);
    hd_buf_str(&text, "\n---\n");
    write_decoder(opts, false, &text);
    const struct rul_decoders_opts with = {.dir = "declared log source",
                                           .time_zone = opts->time_zone,
                                           .skew_max_ns = opts->skew_max_ns};
    int err = text.err != 0 ? text.err
                            : rul_decoders_load_text(&with, hd_buf_slice(&text), fields,
                                                     out, diags);
    hd_buf_fini(&text);
    return err;
}
