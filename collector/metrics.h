/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's counters and gauges; what each means for an operator stands in its help.
 */
#pragma once
#include <haidang/metrics.h>

#define COL_METRICS(X)                                                                   \
    X(COL_LINES, COUNTER, "haidang_agent_lines_total", "Lines taken from sources")       \
    X(COL_BYTES, COUNTER, "haidang_agent_bytes_total", "Bytes of those lines")           \
    X(COL_TRUNCATED, COUNTER, "haidang_agent_truncated_total",                           \
      "Lines cut because they were longer than line_max")                                \
    X(COL_SKIPPED_BYTES, COUNTER, "haidang_agent_skipped_bytes_total",                   \
      "Bytes cut off from such lines")                                                   \
    X(COL_DROPPED, COUNTER, "haidang_agent_dropped_total",                               \
      "Lines lost: datagrams dropped by the kernel or refused while the spool was "      \
      "full, "                                                                           \
      "lines of connections that ended while it was full")                               \
    X(COL_KERNEL_DROPS, COUNTER, "haidang_agent_kernel_drops_total",                     \
      "Datagrams that the kernel dropped because the socket buffer was full")            \
    X(COL_CONNECTIONS, GAUGE, "haidang_agent_connections", "Syslog connections open")    \
    X(COL_CONNECTIONS_REFUSED, COUNTER, "haidang_agent_connections_refused_total",       \
      "Syslog connections refused by connections_max")                                   \
    X(COL_CONNECTIONS_FAILED, COUNTER, "haidang_agent_connections_failed_total",         \
      "Syslog connections that ended with an error (handshake, reset)")                  \
    X(COL_CONNECTIONS_CUT, COUNTER, "haidang_agent_connections_cut_total",               \
      "Syslog connections cut off at the end because they did not stop sending")         \
    X(COL_FILES, GAUGE, "haidang_agent_files", "Files held open")                        \
    X(COL_FILES_SKIPPED, COUNTER, "haidang_agent_files_skipped_total",                   \
      "Files not read because of files_max or because they cannot be opened")            \
    X(COL_FILES_TRUNCATED, COUNTER, "haidang_agent_files_truncated_total",               \
      "Files found shorter or rewritten, read again from their beginning")               \
    X(COL_FILES_HARMED, COUNTER, "haidang_agent_files_harmed_total",                     \
      "Reports that a file was emptied, cut, changed, removed, replaced or closed")      \
    X(COL_FILE_ERRORS, COUNTER, "haidang_agent_file_errors_total", "Failed reads")       \
    X(COL_MARKS_EVICTED, COUNTER, "haidang_agent_marks_evicted_total",                   \
      "File positions forgotten because there were too many")                            \
    X(COL_BATCHES, COUNTER, "haidang_agent_batches_total", "Batches spooled")            \
    X(COL_SPOOL_BYTES, GAUGE, "haidang_agent_spool_bytes", "Spool size on disk")         \
    X(COL_UNACKED_BYTES, GAUGE, "haidang_agent_unacked_bytes",                           \
      "Of the spool: bytes not acknowledged yet")                                        \
    X(COL_UNACKED_LINES, GAUGE, "haidang_agent_unacked_lines",                           \
      "Of the spool: lines not acknowledged yet")                                        \
    X(COL_SPOOL_ERRORS, COUNTER, "haidang_agent_spool_errors_total",                     \
      "Batches that could not be written at the first attempt")                          \
    X(COL_SPOOL_CORRUPT, COUNTER, "haidang_agent_spool_corrupt_total",                   \
      "Spool entries that did not verify and were passed over")                          \
    X(COL_PAUSES, COUNTER, "haidang_agent_pauses_total",                                 \
      "Times the sources were paused because the spool was full or slow")                \
    X(COL_HOLDS, COUNTER, "haidang_agent_holds_total",                                   \
      "Times TCP, TLS and standard input alone waited for the spool, so that a killed "  \
      "agent takes little with it")                                                      \
    X(COL_PENDING_BYTES, GAUGE, "haidang_agent_pending_bytes",                           \
      "Batches on their way to the spool")                                               \
    X(COL_PENDING_MAX, GAUGE, "haidang_agent_pending_bytes_max", "High-water mark")      \
    X(COL_CONNECTED, GAUGE, "haidang_agent_connected", "1 while a correlator answers")   \
    X(COL_CONNECTS, COUNTER, "haidang_agent_connects_total", "Connections attempted")    \
    X(COL_SENT_BATCHES, COUNTER, "haidang_agent_sent_batches_total",                     \
      "Batches sent, repetitions included")                                              \
    X(COL_ACKED_LINES, COUNTER, "haidang_agent_acked_lines_total",                       \
      "Lines acknowledged by a correlator")                                              \
    X(COL_IN_FLIGHT, GAUGE, "haidang_agent_in_flight_bytes",                             \
      "Bytes sent and not acknowledged yet")                                             \
    X(COL_UNKNOWN_FRAMES, COUNTER, "haidang_agent_unknown_frames_total",                 \
      "Frames of a type this version does not know, passed over")                        \
    X(COL_PACKETS, COUNTER, "haidang_agent_packets_total", "Packets looked at")          \
    X(COL_PACKETS_DROPPED, COUNTER, "haidang_agent_packets_dropped_total",               \
      "Packets that the kernel dropped because the capture ring was full")               \
    X(COL_PACKET_RING, GAUGE, "haidang_agent_packet_ring_bytes",                         \
      "Kernel rings for captured packets")                                               \
    X(COL_PACKETS_PASSED, COUNTER, "haidang_agent_packets_passed_total",                 \
      "Packets of protocols that are not followed (ARP, GRE, ...)")                      \
    X(COL_PACKETS_FRAGMENTS, COUNTER, "haidang_agent_packets_fragments_total",           \
      "IP fragments after the first, which are not put together")                        \
    X(COL_PACKETS_BAD, COUNTER, "haidang_agent_packets_bad_total",                       \
      "Packets with headers that are cut short or contradict themselves")                \
    X(COL_FLOWS, COUNTER, "haidang_agent_flows_total", "Flows begun")                    \
    X(COL_FLOWS_OPEN, GAUGE, "haidang_agent_flows_open", "Flows followed now")           \
    X(COL_FLOWS_EVICTED, COUNTER, "haidang_agent_flows_evicted_total",                   \
      "Flows ended early because of flows_max")                                          \
    X(COL_UNITS_BAD, COUNTER, "haidang_agent_packet_units_bad_total",                    \
      "Messages of DNS, TLS or HTTP that do not parse")                                  \
    X(COL_UNITS_LOST, COUNTER, "haidang_agent_packet_units_lost_total",                  \
      "Such messages given up: bytes missing, too long, or no buffer left")              \
    X(COL_RECORDS_LOST, COUNTER, "haidang_agent_packet_records_lost_total",              \
      "Packet records lost: no memory, or refused by the spool")                         \
    X(COL_LOSSES, COUNTER, "haidang_agent_losses_reported_total",                        \
      "Reports of losses sent with the lines")

HD_METRICS_DECLARE(col_metrics, COL_METRICS)

#define COL_COUNT(id, n) HD_METRIC_ADD(col_metrics, id, n)
#define COL_SET(id, n)   HD_METRIC_SET(col_metrics, id, n)
