/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a line, read by the shipped decoders. The first byte chooses the declared
 * format. HD_DECODERS_DIR comes from the build.
 */
#include <stdlib.h>

#include "rules/decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rul_decoders *load(void)
{
    struct rul_fields *fields = NULL;
    struct rul_decoders *set = NULL;
    struct hd_diags diags = {0};
    struct rul_decoders_opts opts = {.dir = HD_DECODERS_DIR, .time_zone = "UTC"};
    if (rul_fields_new(&fields) != 0 ||
        rul_decoders_load(&opts, fields, &set, &diags) != 0) {
        abort();
    }
    return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rul_decoders *set;
    static struct rul_decode_scratch *scratch;
    static struct rul_event ev;
    static const char *const formats[] = {
        "auto",        "syslog",       "json",   "web-access",
        "nginx-error", "apache-error", "packet", "?"};
    if (set == NULL) {
        set = load();
        if (rul_decode_scratch_new(&scratch) != 0) {
            abort();
        }
    }
    if (size == 0) {
        return 0;
    }
    struct hd_batch_source source = {.host = HD_SLICE("h"),
                                     .format = hd_slice_str(formats[data[0] & 7U])};
    struct rul_record record = {&source, INT64_C(1790000000) * 1000000000,
                                hd_slice(data + 1, size - 1)};
    rul_decode(set, scratch, &record, &ev);
    if (!rul_event_has(&ev, RUL_F_MESSAGE) || ev.n > RUL_EVENT_VALUES_MAX) {
        abort();
    }
    struct rul_event_copy *copy = NULL;
    if (rul_event_copy(&ev, &copy) != 0) {
        abort();
    }
    for (uint16_t i = 0; i < copy->n; i++) {
        struct hd_slice want = rul_event_get(&ev, copy->values[i].id);
        if (!hd_slice_eq(copy->values[i].value, want)) {
            abort();
        }
    }
    free(copy);
    return 0;
}
