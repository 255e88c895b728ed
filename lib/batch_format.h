/* SPDX-License-Identifier: Apache-2.0
 *
 * What the builder and the reader of batches agree on (docs/formats/batch.md). Private to
 * lib/.
 */
#pragma once

#define HD_BATCH_VERSION  1U
#define HD_BATCH_HEAD_MAX (64U << 10) /* the header line */
#define HD_BATCH_BOOT_LEN 32U
