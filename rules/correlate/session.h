/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions of a group: the first event at s begins one, each that comes less than `gap`
 * after the one before it and before s + timespan belongs to it, any other begins the
 * next. Conditions that are met while counting up are tested with every event, in the
 * order of arrival; others when a session is over, in the order of time.
 */
#pragma once
#include "rules/correlate/window.h"

/* ---- tested with every event ---- */

/* Is the open session over for an event of that time, or is none open? */
bool rul_session_begins(const struct rul_window *w, int64_t time_ns);
/* Counts it in the open session, which it begins when there is none. An event of an
 * earlier session is not counted (capped). */
int rul_session_join(const struct rul_window *w,
                     const struct rul_sample *sample) HD_MUST_USE;

/* ---- tested when they are over ---- */

struct rul_ended {
    int64_t end_ns; /* an event of that time is not in it any more */
    bool holds;
    struct rul_tally tally;
};

/* No room for another event that waits for its place: see rul_session_oldest. */
bool rul_session_is_full(const struct rul_window *w);
/* The time of the oldest event that waits; there is one. */
int64_t rul_session_oldest(const struct rul_window *w);
/* Counts the event when the watermark has passed it. HD_ENOMEM when it is full, too. */
int rul_session_wait(const struct rul_window *w,
                     const struct rul_sample *sample) HD_MUST_USE;
/* The next session that is over at the watermark; HD_ENOENT when there is none. After
 * HD_ENOMEM it goes on where it was. */
int rul_session_next(const struct rul_window *w, int64_t watermark_ns,
                     struct rul_ended *ended) HD_MUST_USE;
/* No session ends before; INT64_MAX: there is none. */
int64_t rul_session_due(const struct rul_window *w);
