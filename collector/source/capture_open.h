/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening what libpcap reads: a network interface or a capture file. Errors come with
 * text for people that says what to do.
 */
#pragma once
#include <pcap/pcap.h>
#include <stdint.h>

#include "collector/conf.h"
#include <haidang/err.h>

/* Non-blocking, with a ring of so many bytes, filter set, link type known. HD_EACCES: no
 * right to capture; HD_EBUSY: no such interface, or it is down; HD_EINVAL: the filter;
 * HD_EUNSUPPORTED: link type. */
int col_capture_open_interface(const struct col_conf_packet *conf, uint64_t ring,
                               pcap_t **out, char why[256]) HD_MUST_USE;
/* HD_ENOENT, HD_EACCES, HD_EINVAL (no capture file, the filter), HD_EUNSUPPORTED (link
 * type, no regular file). */
int col_capture_open_file(const struct col_conf_packet *conf, pcap_t **out,
                          char why[256]) HD_MUST_USE;

/* The capture time of a frame, bounded to what a record can say. */
int64_t col_capture_ns(pcap_t *pcap, const struct pcap_pkthdr *header);
