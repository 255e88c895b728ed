/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a syslog line: the header parser, its structured data and its time.
 */
#include <stdlib.h>

#include "rules/decode/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_view(const uint8_t *data, size_t size, struct hd_slice view)
{
    bool is_inside = view.ptr >= data && view.ptr <= data + size &&
                     view.len <= (size_t)(data + size - view.ptr);
    check(view.len == 0 || is_inside || hd_slice_eq(view, HD_SLICE("kernel")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hd_zone *zone;
    static struct rul_stamp_clock clock;
    if (zone == NULL) {
        check(hd_zone_open("+07:00", &zone) == 0);
    }
    struct rul_syslog header;
    rul_syslog_parse(hd_slice(data, size), &header);
    check(header.pri >= -1 && header.pri <= 191);
    check_view(data, size, header.host);
    check_view(data, size, header.program);
    check_view(data, size, header.subtag);
    check_view(data, size, header.pid);
    check_view(data, size, header.msgid);
    check_view(data, size, header.message);
    struct hd_slice rest = header.data;
    struct rul_syslog_param param = {0};
    size_t left = rest.len + 1;
    while (rul_syslog_next_param(&rest, &param)) {
        check_view(data, size, param.id);
        check_view(data, size, param.name);
        check_view(data, size, param.value);
        check(rest.len < left);
        left = rest.len;
    }
    if (header.has_stamp) {
        int64_t ns, now = INT64_C(1790000000) * HD_NS_PER_SEC;
        rul_stamp_clock_set(&clock, zone, now);
        bool has_year = header.stamp.civil.year != 0;
        if (rul_stamp_resolve(&header.stamp, &clock, &ns) == 0 && !has_year) {
            check(ns <= now + 24 * 3600 * HD_NS_PER_SEC);
        }
    }
    return 0;
}
