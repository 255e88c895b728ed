/* SPDX-License-Identifier: Apache-2.0
 *
 * What the inventory of sources says that people should know: who has fallen silent or
 * slow, whose clock is off, which important system nobody watches. Looked at every few
 * seconds, on the loop. What cannot be told now (the state thread is busy, or too much
 * is told at once) is told next time, unless it has passed by then.
 */
#pragma once
#include "correlator/enrich/enrich.h"
#include "correlator/sources/notice.h"
#include "correlator/sources/table.h"

#define COR_JUDGE_TOLD_MAX 16U /* in one look */

struct cor_judge {
    struct cor_sources *sources;
    struct cor_enrich *enrich; /* a reference; what is_told is about */
    uint8_t *is_told;          /* by system: it was told to be unwatched */
    uint8_t *is_live;          /* by system, while looking */
    unsigned told;             /* in this look */
    /* False: it could not be told. NULL: nobody wants to be. */
    bool (*tell)(void *ctx, const struct cor_notice_facts *facts);
    void *ctx;
};

void cor_judge_fini(struct cor_judge *j);
/* Before a look cor_sources_disconnected is called once, then cor_sources_connected for
 * each agent that is. is_behind: the newest lines were not examined yet, so that nobody
 * is called silent. */
void cor_judge_look(struct cor_judge *j, struct cor_enrich *enrich, bool is_behind,
                    const struct cor_times *now);
