/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as log lines carry them. The parsers are pure: they read the shape and say how
 * many bytes it took (0 = not such a time). What no calendar has (25:00, 30 February)
 * still has the shape; rul_stamp_resolve refuses it, so that the line keeps its receive
 * time instead of a time that rolled over.
 */
#pragma once
#include <haidang/clock.h>
#include <haidang/slice.h>

struct rul_stamp {
    struct hd_civil civil; /* year 0 = not written */
    bool has_zone;
    bool is_iso;
    int32_t zone_s;
};

/* RFC 3164 section 4.1.2 and what is written in its place:
 *   [ "*" / "." ] Mmm [d]d [yyyy] hh:mm:ss [frac] [yyyy]
 *   [ "*" / "." ] yyyy Mmm [d]d hh:mm:ss [frac]            (Junos, NX-OS) */
size_t rul_stamp_bsd(struct hd_slice in, struct rul_stamp *out);
/* yyyy-mm-dd ("T" / " ") hh:mm:ss [("." / ",") frac] ["Z" / ("+" / "-") hh [":"] mm]
 * (RFC 3339, RFC 5424, journald); nginx's error log writes yyyy/mm/dd. */
size_t rul_stamp_iso(struct hd_slice in, struct rul_stamp *out);
/* dd/Mmm/yyyy:hh:mm:ss (+|-)hhmm (common log format) */
size_t rul_stamp_clf(struct hd_slice in, struct rul_stamp *out);
/* Www Mmm [d]d hh:mm:ss [frac] yyyy (ctime; Apache's error log) */
size_t rul_stamp_ctime(struct hd_slice in, struct rul_stamp *out);
/* Seconds since 1970, with up to 9 digits of fraction; 13, 16 and 19 digits without a
 * fraction are milli-, micro- and nanoseconds. */
int rul_stamp_epoch(struct hd_slice text, int64_t *ns) HD_MUST_USE;

/* What is known of the receiving side; kept from line to line because the offset of a
 * zone is expensive to ask for. Zeroed at first. One thread. */
struct rul_stamp_clock {
    const struct hd_zone *zone;
    int64_t recv_ns;
    struct rul_stamp_offset {
        int64_t quarter; /* offsets change on quarter hours only */
        int32_t offset_s;
        bool is_known;
    } now, line;
    int year, month; /* of the receive time, in the zone */
};
void rul_stamp_clock_set(struct rul_stamp_clock *clock, const struct hd_zone *zone,
                         int64_t recv_ns);

/* Wall time of a stamp. A missing zone is the clock's; a missing year is the latest one
 * that does not put the line more than a day after it was received. HD_ERANGE. */
int rul_stamp_resolve(const struct rul_stamp *stamp, struct rul_stamp_clock *clock,
                      int64_t *ns) HD_MUST_USE;
