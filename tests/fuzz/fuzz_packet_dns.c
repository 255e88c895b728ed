/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: col_dns_parse, col_dns_next, col_dns_name, col_dns_rdata. Walking the answers
 * must move forward and stay inside the message.
 */
#include <stdlib.h>

#include "collector/packet/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct col_dns *dns, size_t size)
{
    size_t at = dns->answers_at;
    struct col_dns_answer answer;
    struct col_dns_text text;
    char scratch[16];
    for (unsigned i = 0; at != 0 && i < dns->answers; i++) {
        size_t before = at;
        if (col_dns_next(dns, &at, &answer) != HD_PARSE_OK) {
            return;
        }
        if (at <= before || at > size || answer.data_at + answer.data_len != at) {
            abort();
        }
        if (col_dns_rdata(dns, &answer, &text) && text.len > COL_DNS_TEXT_MAX) {
            abort();
        }
        (void)col_dns_type_text(answer.type, scratch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct col_dns dns;
    char scratch[16];
    if (col_dns_parse(hd_slice(data, size), &dns) != HD_PARSE_OK) {
        return 0;
    }
    if (dns.name.len > COL_DNS_TEXT_MAX || dns.answers_at > size) {
        abort();
    }
    (void)col_dns_rcode_text(dns.flags, scratch);
    walk(&dns, size);
    return 0;
}
