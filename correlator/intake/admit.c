/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/intake/admit.h"

#define ONE UINT64_C(1000) /* a handshake in thousandths */

void cor_admit_init(struct cor_admit *a, uint32_t at_once_max, uint32_t per_second,
                    uint64_t now_ms)
{
    *a = (struct cor_admit){.at_once_max = at_once_max,
                            .per_second = per_second,
                            .tokens_milli = per_second * ONE,
                            .last_ms = now_ms};
}

static void refill(struct cor_admit *a, uint64_t now_ms)
{
    uint64_t passed = now_ms > a->last_ms ? now_ms - a->last_ms : 0;
    uint64_t full = a->per_second * ONE;
    if (passed > ONE) {
        passed = ONE; /* the bucket holds one second */
    }
    a->last_ms = now_ms;
    a->tokens_milli += passed * a->per_second;
    if (a->tokens_milli > full) {
        a->tokens_milli = full;
    }
}

bool cor_admit_take(struct cor_admit *a, uint64_t now_ms)
{
    refill(a, now_ms);
    if (a->at_once >= a->at_once_max || a->tokens_milli < ONE) {
        return false;
    }
    a->tokens_milli -= ONE;
    a->at_once++;
    return true;
}

void cor_admit_done(struct cor_admit *a)
{
    if (a->at_once > 0) {
        a->at_once--;
    }
}

void cor_admit_undo(struct cor_admit *a)
{
    cor_admit_done(a);
    a->tokens_milli += ONE; /* refill holds it below a second's worth */
}

uint64_t cor_admit_wait_ms(const struct cor_admit *a)
{
    if (a->at_once >= a->at_once_max || a->tokens_milli >= ONE) {
        return 0;
    }
    return (ONE - a->tokens_milli) / a->per_second + 1;
}
