/* SPDX-License-Identifier: Apache-2.0
 *
 * A word to the service manager: one datagram to the socket that $NOTIFY_SOCKET names, as
 * sd_notify(3) documents it. Nothing happens where there is none.
 */
#pragma once

/* "READY=1", "STOPPING=1", several lines allowed. Never blocks; failure is not told. */
void hd_notify(const char *state);
