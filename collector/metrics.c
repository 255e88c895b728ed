/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/metrics.h"

HD_METRICS_DEFINE(col_metrics, COL_METRICS)
