/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a decoder file; a set that loads then decodes a few lines.
 */
#include <stdlib.h>

#include "rules/decode/decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_some(const struct rul_decoders *set)
{
    static struct rul_event ev;
    static struct rul_decode_scratch *scratch;
    static const char *const lines[] = {
        "Nov 21 07:50:37 h sshd[1]: Failed password for x from 192.0.2.1 port 22 ssh2",
        "{\"event_type\":\"dns\",\"src_ip\":\"192.0.2.1\",\"a\":[1,\"x\"]}",
        "h x: a=b c=\"d e\" 192.0.2.1 - - [21/Nov/2026:07:50:37 +0700] \"GET /\""};
    if (scratch == NULL && rul_decode_scratch_new(&scratch) != 0) {
        abort();
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct rul_record record = {NULL, INT64_C(1790000000) * HD_NS_PER_SEC,
                                    hd_slice_str(lines[i])};
        rul_decode(set, scratch, &record, &ev);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rul_fields *fields = NULL;
    struct rul_decoders *set = NULL;
    struct hd_diags diags = {0};
    struct rul_decoders_opts opts = {.dir = "fuzz.yml", .time_zone = "UTC"};
    if (rul_fields_new(&fields) != 0) {
        abort();
    }
    int rc = rul_decoders_load_text(&opts, hd_slice(data, size), fields, &set, &diags);
    if ((rc == 0) != (diags.errors == 0) && rc != HD_ENOMEM && rc != HD_ELIMIT) {
        abort();
    }
    if (rc == 0) {
        decode_some(set);
    }
    rul_decoders_free(set);
    rul_fields_free(fields);
    return 0;
}
