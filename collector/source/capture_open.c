/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's ring is TPACKET_V3, which libpcap takes when immediate mode is off: blocks
 * of packets (256 KiB each, whatever the size of the ring), handed over when full or
 * after READ_TIMEOUT_MS. All of the ring counts as resident memory from the start.
 */
#include "collector/source/capture_open.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <haidang/clock.h>

#include "collector/packet/packet.h"

#define READ_TIMEOUT_MS 100
#define SECONDS_MAX     (INT64_MAX / HD_NS_PER_SEC - 1)

static int explain(int err, char why[256], const char *what, const char *text)
{
    (void)snprintf(why, 256, "%.90s: %.150s", what, text);
    return err;
}

/* What is the same for a file and an interface. */
static int prepare(pcap_t *pcap, const struct col_conf_packet *conf, const char *what,
                   char why[256])
{
    struct bpf_program program;
    int link = pcap_datalink(pcap);
    if (!col_link_is_known(link)) {
        const char *name = pcap_datalink_val_to_name(link);
        (void)snprintf(why, 256, "%s: link type %s (%d) cannot be decoded", what,
                       name == NULL ? "?" : name, link);
        return HD_EUNSUPPORTED;
    }
    if (conf->filter == NULL || conf->filter[0] == '\0') {
        return HD_OK;
    }
    if (pcap_compile(pcap, &program, conf->filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        (void)snprintf(why, 256, "filter \"%.100s\": %.120s", conf->filter,
                       pcap_geterr(pcap));
        return HD_EINVAL;
    }
    int status = pcap_setfilter(pcap, &program);
    pcap_freecode(&program);
    return status == 0 ? HD_OK : explain(HD_EINVAL, why, "filter", pcap_geterr(pcap));
}

/* ---- interfaces ---- */

static int explain_activate(pcap_t *pcap, int status, const char *name, char why[256])
{
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
        (void)snprintf(why, 256, "%s: capturing needs CAP_NET_RAW", name);
        return HD_EACCES;
    }
    const char *text = pcap_geterr(pcap);
    return explain(HD_EBUSY, why, name,
                   text[0] != '\0' ? text : pcap_statustostr(status));
}

static int activate(pcap_t *pcap, const struct col_conf_packet *conf, uint64_t ring,
                    char why[256])
{
    char text[PCAP_ERRBUF_SIZE] = "";
    (void)pcap_set_snaplen(pcap, (int)conf->snaplen);
    (void)pcap_set_promisc(pcap, conf->promiscuous);
    (void)pcap_set_timeout(pcap, READ_TIMEOUT_MS);
    (void)pcap_set_buffer_size(pcap, (int)ring);
    (void)pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
    int status = pcap_activate(pcap);
    if (status < 0) {
        return explain_activate(pcap, status, conf->interface, why);
    }
    if (pcap_setnonblock(pcap, 1, text) != 0 || pcap_get_selectable_fd(pcap) < 0) {
        return explain(HD_EUNSUPPORTED, why, conf->interface,
                       text[0] != '\0' ? text : "cannot be polled");
    }
    return prepare(pcap, conf, conf->interface, why);
}

int col_capture_open_interface(const struct col_conf_packet *conf, uint64_t ring,
                               pcap_t **out, char why[256])
{
    char text[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = pcap_create(conf->interface, text);
    *out = NULL;
    if (pcap == NULL) {
        return explain(HD_EBUSY, why, conf->interface, text);
    }
    int err = activate(pcap, conf, ring, why);
    if (err != HD_OK) {
        pcap_close(pcap);
        return err;
    }
    *out = pcap;
    return HD_OK;
}

/* ---- files ---- */

int col_capture_open_file(const struct col_conf_packet *conf, pcap_t **out, char why[256])
{
    char text[PCAP_ERRBUF_SIZE] = "";
    struct stat st;
    *out = NULL;
    if (stat(conf->file, &st) != 0) {
        int errnum = errno;
        return explain(hd_err_from_errno(errnum), why, conf->file, strerror(errnum));
    }
    if (!S_ISREG(st.st_mode)) { /* reading a pipe would block the loop */
        return explain(HD_EUNSUPPORTED, why, conf->file, "is not a regular file");
    }
    pcap_t *pcap = pcap_open_offline_with_tstamp_precision(
        conf->file, PCAP_TSTAMP_PRECISION_NANO, text);
    if (pcap == NULL) {
        return explain(HD_EINVAL, why, conf->file, text);
    }
    int err = prepare(pcap, conf, conf->file, why);
    if (err != HD_OK) {
        pcap_close(pcap);
        return err;
    }
    *out = pcap;
    return HD_OK;
}

int64_t col_capture_ns(pcap_t *pcap, const struct pcap_pkthdr *header)
{
    int64_t seconds = header->ts.tv_sec;
    int64_t fraction = header->ts.tv_usec;
    if (seconds < 0 || seconds > SECONDS_MAX || fraction < 0) {
        return seconds < 0 || fraction < 0 ? 0 : SECONDS_MAX * HD_NS_PER_SEC;
    }
    if (pcap_get_tstamp_precision(pcap) != PCAP_TSTAMP_PRECISION_NANO) {
        fraction = fraction < 1000000 ? fraction * HD_NS_PER_US : HD_NS_PER_SEC - 1;
    }
    fraction = fraction < HD_NS_PER_SEC ? fraction : HD_NS_PER_SEC - 1;
    return seconds * HD_NS_PER_SEC + fraction;
}
