/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands for the part of libpcap that captures from D-Bus, which is no network interface.
 * The agent links libpcap's archive with this in its place: the shared library would
 * bring libdbus, libsystemd, libgcrypt, libgpg-error, liblzma, liblz4 and libcap into the
 * agent of every server: nearly a megabyte of resident memory, and as much to attack. The
 * symbols are those of libpcap's pcap-dbus.h; cmake tries whether they fit.
 */
#include <pcap/pcap.h>
#include <stddef.h>

pcap_t *col_capture_dbus(const char *device, char *why,
                         int *is_ours) __asm__("dbus_create");
int col_capture_dbus_devices(void *devices, char *why) __asm__("dbus_findalldevs");

pcap_t *col_capture_dbus(const char *device, char *why, int *is_ours)
{
    (void)device;
    (void)why;
    *is_ours = 0;
    return NULL;
}

int col_capture_dbus_devices(void *devices, char *why)
{
    (void)devices;
    (void)why;
    return 0;
}
