/* SPDX-License-Identifier: Apache-2.0
 *
 * Intake: agents connect over mutual TLS, their batches go into the archive as they are,
 * and what is durable there is acknowledged. Everything here runs on the loop; the disk
 * has its own thread behind hd_journal_writer. Memory is bounded by `memory` for frames
 * that are not yet complete, as much again for batches on their way to the disk, and
 * 64 KiB a connection.
 */
#pragma once
#include <haidang/journal.h>
#include <haidang/json.h>
#include <haidang/tls.h>
#include <uv.h>

#include "correlator/losses/losses.h"

#define COR_INTAKE_LISTEN_MAX 8U

struct cor_intake;

struct cor_intake_opts {
    uv_loop_t *loop;
    struct hd_tls *tls;  /* borrowed; must require client certificates */
    uint32_t agents_max; /* connected at once; more are refused */
    uint32_t agents_remembered;
    uint32_t handshakes_max, handshakes_per_second, handshakes_per_address;
    uint64_t memory;
    uint64_t idle_ms;
    struct hd_journal_opts archive;
    const char *snapshot;      /* file of the agents table */
    struct cor_losses *losses; /* borrowed; NULL: nobody is told what is missing */
};

/* Opens the archive and recovers the table of agents (blocking). `why` says what failed.
 */
int cor_intake_open(const struct cor_intake_opts *opts, struct cor_intake **out,
                    char why[256]) HD_MUST_USE;
/* Starts to listen on one address more. */
int cor_intake_listen(struct cor_intake *intake, const char *address,
                      char why[256]) HD_MUST_USE;
uint16_t cor_intake_port(const struct cor_intake *intake, size_t i);
/* Says goodbye to the agents, finishes the archive, saves the table; then `closed`. */
void cor_intake_close(struct cor_intake *intake, void (*closed)(void *ctx), void *ctx);

/* Applies the archive's retention (a reader moved on). */
void cor_intake_trim(struct cor_intake *intake);

/* Calls `each` for every agent that is connected. difference_ns: its clock less ours when
 * it last said its time; 0 when it did not. */
void cor_intake_each_connected(const struct cor_intake *intake,
                               void (*each)(void *ctx, struct hd_slice agent,
                                            int64_t difference_ns),
                               void *ctx);

/* Entries of the archive below this index are past their time. */
void cor_intake_expired(struct cor_intake *intake, uint64_t index);

/* ---- for /status and /metrics ---- */

void cor_intake_refresh(struct cor_intake *intake);                   /* gauges */
uint64_t cor_intake_archive_bytes(const struct cor_intake *intake);   /* on disk */
uint64_t cor_intake_archive_removed(const struct cor_intake *intake); /* bytes */
void cor_intake_status(const struct cor_intake *intake, struct hd_json *json);
/* Calls `say` for every problem, in words for people. */
void cor_intake_problems(const struct cor_intake *intake,
                         void (*say)(void *ctx, const char *text), void *ctx);
