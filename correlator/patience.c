/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/patience.h"

#include <poll.h>
#include <stddef.h>

#include <haidang/log.h>

#include "correlator/metrics.h"

#define WAIT_MS 20 /* nobody tells when there is memory again */

bool cor_wait_for_memory(const atomic_bool *is_stopping, const char *who)
{
    COR_COUNT(COR_M_MEMORY_WAITS, 1);
    HD_LOG(ERROR, "state", "memory is short; detection waits until there is some",
           HD_KV_STR("thread", who));
    if (atomic_load(is_stopping)) {
        return false;
    }
    (void)poll(NULL, 0, WAIT_MS);
    return true;
}
