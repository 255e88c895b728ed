/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that haidang-correlator counts. Any thread adds. A table (lint: size).
 */
#pragma once
#include <haidang/keep.h>

#define COR_NAME(text) "haidang_correlator_" text
#define COR_METRICS(X)                                                                   \
    X(COR_M_CONNECTIONS, COUNTER, COR_NAME("connections_total"), "Connections taken")    \
    X(COR_M_DEFERRED, COUNTER, COR_NAME("connections_deferred_total"),                   \
      "Connections that had to wait for a free handshake")                               \
    X(COR_M_REFUSED, COUNTER, COR_NAME("connections_refused_total"),                     \
      "Connections refused because max_agents were connected")                           \
    X(COR_M_CROWDED, COUNTER, COR_NAME("connections_crowded_total"),                     \
      "Connections refused because of intake.handshakes_per_address")                    \
    X(COR_M_HANDSHAKE_FAILED, COUNTER, COR_NAME("handshakes_failed_total"),              \
      "Connections that ended before TLS was up")                                        \
    X(COR_M_IDENTITY, COUNTER, COR_NAME("identity_refused_total"),                       \
      "Agents whose name is not their certificate's")                                    \
    X(COR_M_VERSION, COUNTER, COR_NAME("version_refused_total"),                         \
      "Agents that speak no version of ours")                                            \
    X(COR_M_PROTOCOL, COUNTER, COR_NAME("protocol_errors_total"),                        \
      "Connections ended because of what they sent")                                     \
    X(COR_M_IDLE, COUNTER, COR_NAME("idle_closed_total"),                                \
      "Connections ended because nothing came in time")                                  \
    X(COR_M_SLOW, COUNTER, COR_NAME("slow_closed_total"),                                \
      "Connections ended because they do not read or finish a frame")                    \
    X(COR_M_SUPERSEDED, COUNTER, COR_NAME("superseded_total"),                           \
      "Connections replaced by a newer one of the same agent")                           \
    X(COR_M_AGENTS, GAUGE, COR_NAME("agents"), "Agents connected now")                   \
    X(COR_M_AGENTS_KNOWN, GAUGE, COR_NAME("agents_known"), "Agents remembered")          \
    X(COR_M_AGENTS_EVICTED, COUNTER, COR_NAME("agents_evicted_total"),                   \
      "Agents forgotten because the table was full")                                     \
    X(COR_M_BATCHES, COUNTER, COR_NAME("batches_total"), "Batches archived")             \
    X(COR_M_LINES, COUNTER, COR_NAME("lines_total"), "Records archived")                 \
    X(COR_M_BYTES, COUNTER, COR_NAME("bytes_total"), "Bytes archived, compressed")       \
    X(COR_M_RAW_BYTES, COUNTER, COR_NAME("raw_bytes_total"), "Bytes archived, as text")  \
    X(COR_M_DUPLICATES, COUNTER, COR_NAME("duplicates_total"),                           \
      "Batches dropped because they were held already")                                  \
    X(COR_M_OVERLAPS, COUNTER, COR_NAME("overlaps_total"),                               \
      "Batches that overlap held ones in part; archived all the same")                   \
    X(COR_M_MISSING, COUNTER, COR_NAME("missing_records_total"),                         \
      "Records that an agent numbered and never delivered")                              \
    X(COR_M_ELSEWHERE, COUNTER, COR_NAME("elsewhere_records_total"),                     \
      "Records that agents delivered to another correlator")                             \
    X(COR_M_WAITS, COUNTER, COR_NAME("intake_waits_total"),                              \
      "Times a connection was paused because memory or the disk queue was full")         \
    X(COR_M_MEMORY, GAUGE, COR_NAME("intake_memory_bytes"), "Held by unfinished frames") \
    X(COR_M_MEMORY_HIGH, GAUGE, COR_NAME("intake_memory_high_water_bytes"),              \
      "The most that unfinished frames have held")                                       \
    X(COR_M_FULL, COUNTER, COR_NAME("archive_refusals_total"),                           \
      "Batches the archive did not take; their agents were told to back off")            \
    X(COR_M_ARCHIVE_BYTES, GAUGE, COR_NAME("archive_bytes"), "Archive on disk")          \
    X(COR_M_ARCHIVE_QUEUE_LIMIT, GAUGE, COR_NAME("archive_queue_limit_bytes"),           \
      "Beyond this agents have to wait, in turns")                                       \
    X(COR_M_ARCHIVE_QUEUE, GAUGE, COR_NAME("archive_queue_bytes"),                       \
      "Handed to the archive and not yet durable")                                       \
    X(COR_M_ARCHIVE_SYNCS, COUNTER, COR_NAME("archive_syncs_total"), "Syncs to disk")    \
    X(COR_M_DETECT_LINES, COUNTER, COR_NAME("detect_lines_total"), "Records examined")   \
    X(COR_M_DETECT_EVENTS, COUNTER, COR_NAME("detect_events_total"),                     \
      "Records that a decoder knew")                                                     \
    X(COR_M_DETECT_HITS, COUNTER, COR_NAME("detect_hits_total"), "Rules matched")        \
    X(COR_M_DETECT_HELD_BACK, COUNTER, COR_NAME("detect_hits_held_back_total"),          \
      "Rules matched, but a filter did not let the hit stand")                           \
    X(COR_M_DETECT_VALUES_LOST, COUNTER, COR_NAME("detect_values_lost_total"),           \
      "Values that a decoder had no room for: too many in one line")                     \
    X(COR_M_DETECT_MALFORMED, COUNTER, COR_NAME("detect_malformed_total"),               \
      "Lines that began as JSON or XML and were read as text")                           \
    X(COR_M_DETECT_UNDECIDED, COUNTER, COR_NAME("detect_undecided_total"),               \
      "Comparisons given up (memory, limits of regular expressions); not matching")      \
    X(COR_M_DETECT_CORRUPT, COUNTER, COR_NAME("detect_corrupt_entries_total"),           \
      "Archive entries that do not verify; passed over")                                 \
    X(COR_M_DETECT_LOST, COUNTER, COR_NAME("detect_corrupt_records_total"),              \
      "Records inside batches that could not be read")                                   \
    X(COR_M_DETECT_TRIMMED, COUNTER, COR_NAME("detect_trimmed_total"),                   \
      "Times retention removed entries before they were examined")                       \
    X(COR_M_MEMORY_WAITS, COUNTER, COR_NAME("memory_waits_total"),                       \
      "Times detection waited because memory was short")                                 \
    X(COR_M_DETECT_LAG, GAUGE, COR_NAME("detect_lag_bytes"), "Archive not yet examined") \
    X(COR_M_DETECT_LAG_MS, GAUGE, COR_NAME("detect_lag_milliseconds"),                   \
      "How long ago the batch examined last had come; 0 when caught up")                 \
    X(COR_M_HITS_QUEUE_HIGH, GAUGE, COR_NAME("hits_queue_high_water"),                   \
      "The most messages that waited for the state thread")                              \
    X(COR_M_PUBLISHED, COUNTER, COR_NAME("alerts_published_total"), "Alerts published")  \
    X(COR_M_SUPPRESSED, COUNTER, COR_NAME("alerts_suppressed_total"),                    \
      "Repeats counted instead of published")                                            \
    X(COR_M_THROTTLED, COUNTER, COR_NAME("alerts_throttled_total"),                      \
      "Alerts of noisy rules held back by noisy.throttle")                               \
    X(COR_M_NOISY, COUNTER, COR_NAME("rules_noisy_total"),                               \
      "Times a rule hit more often in a minute than noisy.rate")                         \
    X(COR_M_REPLAYED, COUNTER, COR_NAME("alerts_replayed_total"),                        \
      "Alerts seen again after a restart; they are in the journal already")              \
    X(COR_M_INVALID, COUNTER, COR_NAME("alerts_failed_total"),                           \
      "Alerts that could not be built; please report")                                   \
    X(COR_M_ALERT_WAITS, COUNTER, COR_NAME("alert_journal_waits_total"),                 \
      "Times the alert journal could not be written; detection waits")                   \
    X(COR_M_SUPPRESS_EVICTED, COUNTER, COR_NAME("suppress_evicted_total"),               \
      "Things forgotten by the suppression of repeats")                                  \
    X(COR_M_GROUPS, GAUGE, COR_NAME("correlation_groups"), "Groups being correlated")    \
    X(COR_M_GROUP_BYTES, GAUGE, COR_NAME("correlation_bytes"), "Memory of the groups")   \
    X(COR_M_GROUPS_EVICTED, COUNTER, COR_NAME("correlation_evicted_total"),              \
      "Groups forgotten because memory was full")                                        \
    X(COR_M_LATE, COUNTER, COR_NAME("correlation_late_total"),                           \
      "Hits too old to be correlated")                                                   \
    X(COR_M_NO_GROUP, COUNTER, COR_NAME("correlation_no_group_total"),                   \
      "Hits without the field that their correlation groups by")                         \
    X(COR_M_NO_NUMBER, COUNTER, COR_NAME("correlation_no_number_total"),                 \
      "Hits whose field to be summed is no number")                                      \
    X(COR_M_CAPPED, COUNTER, COR_NAME("correlation_capped_total"),                       \
      "Events that a limit of correlations kept from being counted exactly")             \
    X(COR_M_UNTOLD, COUNTER, COR_NAME("correlation_lost_total"),                         \
      "Detections that the correlations counting them did not get: memory was short")    \
    X(COR_M_FORGOTTEN, COUNTER, COR_NAME("correlation_forgotten_total"),                 \
      "Correlations that started anew: they, or rules they count, have changed")         \
    X(COR_M_KEPT, COUNTER, COR_NAME("correlation_kept_total"),                           \
      "Correlations that have changed and kept what they remember")                      \
    X(COR_M_SNAPSHOTS, COUNTER, COR_NAME("snapshots_total"),                             \
      "Times that what correlations remember was saved")                                 \
    X(COR_M_SNAPSHOTS_FAILED, COUNTER, COR_NAME("snapshots_failed_total"),               \
      "Times that it could not be saved; a crash would examine more again")              \
    X(COR_M_SNAPSHOTS_REFUSED, COUNTER, COR_NAME("snapshots_refused_total"),             \
      "Times that what was saved was passed over at the start")                          \
    X(COR_M_LOSSES, COUNTER, COR_NAME("losses_total"),                                   \
      "Records written to the loss ledger")                                              \
    X(COR_M_LOSS_WAITS, COUNTER, COR_NAME("loss_ledger_waits_total"),                    \
      "Times the loss ledger could not be written; detection waits")                     \
    X(COR_M_LOSSES_UNTOLD, COUNTER, COR_NAME("losses_untold_total"),                     \
      "Losses that memory or time lacked to write down; the log has them")               \
    X(COR_M_GEO_ERRORS, COUNTER, COR_NAME("geo_errors_total"),                           \
      "Look-ups that a broken database could not answer")                                \
    X(COR_M_SOURCES, GAUGE, COR_NAME("sources"), "Sources in the inventory")             \
    X(COR_M_SOURCES_SILENT, GAUGE, COR_NAME("sources_silent"),                           \
      "Sources that have fallen silent, those of lost agents included")                  \
    X(COR_M_SOURCES_EVICTED, COUNTER, COR_NAME("sources_evicted_total"),                 \
      "Sources forgotten because of sources.remember")                                   \
    X(COR_M_SOURCES_MISSED, COUNTER, COR_NAME("sources_missed_total"),                   \
      "Batches that the inventory of sources did not take note of")                      \
    X(COR_M_SOURCES_TOLD, COUNTER, COR_NAME("sources_told_total"),                       \
      "Alerts about sources, agents and unmonitored systems")                            \
    X(COR_M_ALERTS_BYTES, GAUGE, COR_NAME("alerts_bytes"), "Alert journal on disk")      \
    X(COR_M_LOSSES_BYTES, GAUGE, COR_NAME("losses_bytes"), "Loss ledger on disk")        \
    X(COR_M_FULL_ARCHIVE, GAUGE, COR_NAME("full_percent{store=\"archive\"}"),            \
      "How full the archive is, of its max_bytes; 0 without")                            \
    X(COR_M_FULL_ALERTS, GAUGE, COR_NAME("full_percent{store=\"alerts\"}"),              \
      "The same of the alert journal")                                                   \
    X(COR_M_FULL_LOSSES, GAUGE, COR_NAME("full_percent{store=\"losses\"}"),              \
      "The same of the loss ledger")                                                     \
    X(COR_M_FULL_DISK, GAUGE, COR_NAME("full_percent{store=\"disk\"}"),                  \
      "The fullest of the disks they are on, without its reserve")                       \
    X(COR_M_FULL_HOURS, GAUGE, COR_NAME("full_in_hours"),                                \
      "Hours until the first of them is full at the present rate; 0 = not foreseen")     \
    X(COR_M_REMOVED_ARCHIVE, COUNTER,                                                    \
      COR_NAME("removed_bytes_total{store=\"archive\"}"),                                \
      "What retention has removed of the archive")                                       \
    X(COR_M_REMOVED_ALERTS, COUNTER, COR_NAME("removed_bytes_total{store=\"alerts\"}"),  \
      "The same of the alert journal")                                                   \
    X(COR_M_REMOVED_LOSSES, COUNTER, COR_NAME("removed_bytes_total{store=\"losses\"}"),  \
      "The same of the loss ledger")                                                     \
    X(COR_M_NEAR_FULL, COUNTER, COR_NAME("near_full_total"),                             \
      "Times one of them passed near_full.warning or near_full.alarm")                   \
    X(COR_M_FROZEN, COUNTER, COR_NAME("write_once_segments_total"),                      \
      "Segments made write-once")                                                        \
    X(COR_M_STAMPS_PENDING, GAUGE, COR_NAME("timestamps_pending"),                       \
      "Requests for time stamps that the forwarder has not brought a reply to")          \
    HD_KEEP_METRICS(X, COR_M_KEEP, COR_NAME)                                             \
    X(COR_M_CANARIES, COUNTER, COR_NAME("canary_lines_total"),                           \
      "Lines of canaries, their signatures good")                                        \
    X(COR_M_CANARIES_FORGED, COUNTER, COR_NAME("canary_forged_total"),                   \
      "Lines that said to be canaries and were not; matched as any other line")          \
    X(COR_M_CANARIES_STALE, COUNTER, COR_NAME("canary_stale_total"),                     \
      "Lines of canaries that came too late (or too early) to prove anything")           \
    X(COR_M_CANARIES_REPEATED, COUNTER, COR_NAME("canary_repeated_total"),               \
      "Lines of canaries that came again from another place")                            \
    X(COR_M_TEST_ALERTS, COUNTER, COR_NAME("test_alerts_total"),                         \
      "Alerts that canaries raised; among those published")                              \
    X(COR_M_RULES_PROVEN, GAUGE, COR_NAME("rules_proven"),                               \
      "Rules in force that alert and that a canary has fired")                           \
    X(COR_M_RULES_UNPROVEN, GAUGE, COR_NAME("rules_unproven"),                           \
      "Rules in force that alert and that no canary has fired")                          \
    X(COR_M_RULES, GAUGE, COR_NAME("rules"), "Rules in force")                           \
    X(COR_M_RELOADS, COUNTER, COR_NAME("reloads_total"), "Reloads that took effect")     \
    X(COR_M_SWAP_PAUSE, GAUGE, COR_NAME("swap_pause_max_microseconds"),                  \
      "Longest time that detection stood still to take up new rules")                    \
    X(COR_M_RELOADS_FAILED, COUNTER, COR_NAME("reloads_failed_total"),                   \
      "Reloads that were refused; the old set stayed in force")                          \
    X(COR_M_RULES_REFUSED, GAUGE, COR_NAME("rules_refused"),                             \
      "1: correlation could not take up the last reload; the rules before stay")         \
    X(COR_M_CERT_DAYS, GAUGE, COR_NAME("certificate_days_left"),                         \
      "Days until our certificate expires")

HD_METRICS_DECLARE(cor_metrics, COR_METRICS)

#define COR_COUNT(id, n) HD_METRIC_ADD(cor_metrics, id, n)
#define COR_GAUGE(id, n) HD_METRIC_SET(cor_metrics, id, n)
#define COR_READ(id)     HD_METRIC_GET(cor_metrics, id)

/* Detection stood still for so long, to take up new rules. */
static inline void cor_metric_pause(int64_t ns)
{
    hd_metric_max(&cor_metrics[COR_M_SWAP_PAUSE], (uint64_t)(ns / 1000));
}
