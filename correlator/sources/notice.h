/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts of our own about sources, stores and correlations: rules that no file holds,
 * since no line is behind them. Made on the loop or by the state thread, published by the
 * state thread as any other alert. They stay in the province (`delivery`).
 */
#pragma once
#include "correlator/publish/alert_build.h"

enum cor_notice_kind {
    COR_NOTICE_STOPPED,
    COR_NOTICE_SLOWED,
    COR_NOTICE_RESUMED,
    COR_NOTICE_CLOCK,
    COR_NOTICE_AGENT_LOST,
    COR_NOTICE_AGENT_BACK,
    COR_NOTICE_AGENT_CLOCK,
    COR_NOTICE_UNWATCHED,
    COR_NOTICE_STORE_WARNING,
    COR_NOTICE_STORE_ALARM,
    COR_NOTICE_STORE_ROOM,
    COR_NOTICE_STARVED,
    COR_NOTICE_KINDS,
};

struct cor_notice_facts { /* slices may be empty; borrowed for the call */
    enum cor_notice_kind kind;
    struct hd_slice agent, boot, host, source_kind, source_name, peer;
    uint64_t seq;            /* with agent and boot: the last line there was */
    int64_t last_ns, now_ns; /* of it; now (wall) */
    struct hd_slice measure; /* what was measured, in words */
    const char *measure_name;
    struct hd_slice system; /* its id */
    uint8_t level;          /* of the system; 0 = none known */
};

struct cor_notice {
    struct rul_rule rule;
    struct rul_detection detection;
    struct cor_event *event;
    struct hd_slice system;
    uint8_t text[];
};

int cor_notice_new(const struct cor_notice_facts *facts,
                   struct cor_notice **out) HD_MUST_USE;
void cor_notice_free(void *notice);
/* The input of its alert, to be completed by who publishes. */
struct cor_alert_input cor_notice_input(const struct cor_notice *notice);
