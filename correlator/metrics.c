/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/metrics.h"

HD_METRICS_DEFINE(cor_metrics, COR_METRICS)
