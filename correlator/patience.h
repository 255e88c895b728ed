/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory is short: threads that must lose nothing wait until there is some, as they wait
 * for a full disk.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

/* Counted and logged. True: try again. False: the thread is to end; what it has not done
 * it must leave for the next process. */
bool cor_wait_for_memory(const atomic_bool *is_stopping, const char *who);
