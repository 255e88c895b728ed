/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang-forwarder render PROFILE.json [NAME=VALUE ...]: alerts, one a line, from
 * standard input; the messages that a destination would get, one a line, to standard
 * output. For whoever writes a profile. Nothing is sent.
 */
#pragma once

/* The arguments after "render". Returns an HD_EXIT_* code: HD_EXIT_CONFIG when the
 * profile or a setting is wrong, HD_EXIT_RUNTIME when an alert could not be told. */
int fwd_render_command(int argc, char **argv);
