/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/metrics.h"

HD_METRICS_DEFINE(fwd_metrics, FWD_METRICS)
