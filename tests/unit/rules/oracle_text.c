/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rules/oracle_text.h"

#include "tests/support/support.h"

void oracle_to_wide(struct symbols *s, bool mark, bool big)
{
    static struct symbols out;
    out.n = 0;
    if (mark) {
        out.at[out.n++] = 0xff;
        out.at[out.n++] = 0xfe;
    }
    for (size_t i = 0; i < s->n; i++) {
        assert_true(s->at[i] < 0x80 || s->at[i] > 255);
        bool wildcard = s->at[i] > 255;
        if (big && !wildcard) {
            out.at[out.n++] = 0;
        }
        out.at[out.n++] = s->at[i];
        if (!big && !wildcard) {
            out.at[out.n++] = 0;
        }
    }
    *s = out;
}

void oracle_to_base64(struct symbols *s, size_t shift, bool partial)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static struct symbols out;
    size_t from = shift * 8, to = from + s->n * 8;
    out.n = 0;
    for (size_t bit = 0; bit < to; bit += 6) {
        if (partial && (bit < from || bit + 6 > to)) {
            continue;
        }
        unsigned digit = 0;
        for (size_t k = bit; k < bit + 6; k++) {
            bool set = k >= from && k < to && (s->at[(k - from) / 8] >> (7 - k % 8) & 1);
            digit = digit * 2 + set;
        }
        out.at[out.n++] = (uint8_t)digits[digit];
    }
    while (!partial && out.n % 4 != 0) {
        out.at[out.n++] = '=';
    }
    *s = out;
}
