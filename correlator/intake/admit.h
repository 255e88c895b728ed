/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission of handshakes: so many at once and so many a second, so that thousands of
 * agents that come back together cost a bounded share of the processor. Connections that
 * are not admitted wait in the kernel's backlog. Pure; time is given. Loop thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cor_admit {
    uint32_t at_once_max, per_second;
    uint32_t at_once;
    uint64_t tokens_milli; /* thousandths of a handshake */
    uint64_t last_ms;
};

void cor_admit_init(struct cor_admit *admit, uint32_t at_once_max, uint32_t per_second,
                    uint64_t now_ms);
/* True: one handshake begins; say cor_admit_done when it has ended. */
bool cor_admit_take(struct cor_admit *admit, uint64_t now_ms);
void cor_admit_done(struct cor_admit *admit);
/* It never began: as if it had not been taken. */
void cor_admit_undo(struct cor_admit *admit);
/* After a refusal: milliseconds until it is worth asking again; 0 = when one is done. */
uint64_t cor_admit_wait_ms(const struct cor_admit *admit);
