/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that haidang-forwarder counts, over all destinations.
 */
#pragma once
#include <haidang/keep.h>

#define FWD_NAME(text) "haidang_forwarder_" text
#define FWD_METRICS(X)                                                                   \
    X(FWD_M_DELIVERED, COUNTER, FWD_NAME("delivered_total"),                             \
      "Alerts that a destination has taken")                                             \
    X(FWD_M_ATTEMPTS, COUNTER, FWD_NAME("attempts_total"), "Requests sent")              \
    X(FWD_M_RETRIED, COUNTER, FWD_NAME("retries_total"),                                 \
      "Requests that were not taken and are sent again")                                 \
    X(FWD_M_STOPPED, COUNTER, FWD_NAME("stops_total"),                                   \
      "Answers that stop a destination (401, 403)")                                      \
    X(FWD_M_DEAD, COUNTER, FWD_NAME("dead_letters_total"),                               \
      "Alerts that a destination will never take")                                       \
    X(FWD_M_PROVINCE, COUNTER, FWD_NAME("withheld_province_total"),                      \
      "Alerts that may not leave the province")                                          \
    X(FWD_M_SEVERITY, COUNTER, FWD_NAME("withheld_severity_total"),                      \
      "Alerts below a destination's severity")                                           \
    X(FWD_M_TESTS, COUNTER, FWD_NAME("withheld_tests_total"),                            \
      "Alerts that canaries raised; they are never sent")                                \
    X(FWD_M_KNOWN, COUNTER, FWD_NAME("known_total"),                                     \
      "Alerts read again after a restart and found in the receipts")                     \
    X(FWD_M_CORRUPT, COUNTER, FWD_NAME("corrupt_entries_total"),                         \
      "Entries of the alert journal that do not verify")                                 \
    X(FWD_M_LOST, COUNTER, FWD_NAME("lost_to_retention_total"),                          \
      "Times that alerts were removed before they were read")                            \
    X(FWD_M_RECEIPT_ERRORS, COUNTER, FWD_NAME("receipt_errors_total"),                   \
      "Receipts that could not be written at once")                                      \
    X(FWD_M_STAMPED, COUNTER, FWD_NAME("timestamps_total"),                              \
      "Time stamps verified and stored")                                                 \
    X(FWD_M_STAMPS_FAILED, COUNTER, FWD_NAME("timestamp_failures_total"),                \
      "Times that no time stamp could be had")                                           \
    X(FWD_M_STAMPS_PENDING, GAUGE, FWD_NAME("timestamps_pending"),                       \
      "Requests for time stamps without a reply")                                        \
    X(FWD_M_STAMPS_FAILING, GAUGE, FWD_NAME("timestamps_failing_seconds"),               \
      "Since when no time stamp could be had; 0 = all well")                             \
    HD_KEEP_METRICS(X, FWD_M_KEEP, FWD_NAME)                                             \
    X(FWD_M_PENDING, GAUGE, FWD_NAME("pending"),                                         \
      "Alerts not yet sent, all destinations")                                           \
    X(FWD_M_FAILING, GAUGE, FWD_NAME("failing_seconds"),                                 \
      "Since when the worst destination takes nothing; 0 = all well")                    \
    X(FWD_M_STOPPED_NOW, GAUGE, FWD_NAME("stopped_destinations"),                        \
      "Destinations that wait for a person")                                             \
    X(FWD_M_RECEIPT_BYTES, GAUGE, FWD_NAME("receipts_bytes"), "Receipts on disk")

HD_METRICS_DECLARE(fwd_metrics, FWD_METRICS)
#define FWD_COUNT(id) HD_METRIC_ADD(fwd_metrics, id, 1)
