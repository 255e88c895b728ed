/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets that a service manager opened, keeps, and hands to each start of a program: who
 * connects while the program is exchanged waits instead of being refused, and datagrams
 * wait in the kernel. The protocol is sd_listen_fds(3): LISTEN_PID, LISTEN_FDS and
 * LISTEN_FDNAMES. A socket goes to the listener whose address it is bound to; one that
 * nobody asks for is a mistake. Thread: main, until the program has started.
 */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

#include <haidang/buf.h>
#include <haidang/err.h>

#define HD_HANDED_MAX 64

/* Takes what the environment names, and removes it from there. HD_EINVAL: it contradicts
 * itself, or a descriptor is no socket to listen on; `why` says which. */
int hd_handed_take(char why[256]) HD_MUST_USE;

/* A socket of this type (SOCK_STREAM or SOCK_DGRAM) bound to this address is there. */
bool hd_handed_has(int type, const struct sockaddr *addr);
/* own: the descriptor, non-blocking; -1 = none of these. */
int hd_handed_claim(int type, const struct sockaddr *addr);

/* Names a socket that nobody has claimed, by number, name and address: "descriptor 4
 * (haidang-agent.socket), tcp 192.0.2.1:6514". False: none is left. */
bool hd_handed_left(struct hd_buf *out);
/* Closes what nobody claimed. */
void hd_handed_drop(void);
