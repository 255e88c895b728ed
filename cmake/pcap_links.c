/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration only: does libpcap's archive link with nothing but our D-Bus part?
 */
#include <pcap/pcap.h>
#include <stddef.h>

int main(void)
{
    char why[PCAP_ERRBUF_SIZE];
    return pcap_create("lo", why) == NULL;
}
