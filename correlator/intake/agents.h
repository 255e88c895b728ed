/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of agents: for each (agent, boot) what is durable, who is connected and what
 * the agent last said of itself. Bounded: the row unseen for longest goes first, never
 * one that is connected or has a batch in flight. Never the only copy: rebuilt at start
 * from a snapshot and the headers of the archive entries behind it. Loop thread.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/wire.h>

#include "correlator/intake/ledger.h"
#include <haidang/index.h>

#define COR_BOOT_LEN 32
#define COR_PEER_MAX 64

struct cor_session;

struct cor_agent {
    char *name;
    char boot[COR_BOOT_LEN + 1];
    char peer[COR_PEER_MAX];
    struct cor_ledger ledger;
    struct cor_session *session; /* NULL: not connected */
    int64_t seen_ns;             /* wall clock; 0 = never since it was heard of */
    uint64_t lines, lines_sampled;
    double rate; /* lines a second, of the last sample */
    uint64_t stats[HD_WIRE_STAT_END];
    int64_t clock_difference_ns; /* its clock less ours, at its last heartbeat */
    uint32_t newer, older;       /* rows, by last use */
};

struct cor_agents {
    struct hd_index index;
    struct cor_agent **rows;
    uint32_t n, max;
    uint32_t newest, oldest;
    uint64_t next_entry; /* archive entries below are accounted for */
};

int cor_agents_init(struct cor_agents *agents, uint32_t max) HD_MUST_USE;
void cor_agents_fini(struct cor_agents *agents);

struct cor_agent *cor_agents_find(const struct cor_agents *agents, struct hd_slice name,
                                  struct hd_slice boot);
/* Finds or adds; the row becomes the newest. HD_EFULL: every row is in use. */
int cor_agents_get(struct cor_agents *agents, struct hd_slice name, struct hd_slice boot,
                   struct cor_agent **out) HD_MUST_USE;
static inline struct cor_agent *cor_agents_at(const struct cor_agents *agents, uint32_t i)
{
    return agents->rows[i];
}

/* 1..255 bytes of letters, digits, '-', '_', '.': what a host may be called. */
bool cor_agent_name_is_valid(struct hd_slice name);
/* 32 lower-case hex digits. */
bool cor_agent_boot_is_valid(struct hd_slice boot);

/* ---- surviving a restart (agents_store.c) ---- */

/* The table as JSON (docs/formats/archive.md). */
int cor_agents_snapshot(const struct cor_agents *agents, struct hd_buf *out) HD_MUST_USE;
/* HD_EPARSE, HD_EVERSION: *why says what is wrong; the table is then empty. */
int cor_agents_restore(struct cor_agents *agents, struct hd_slice text,
                       const char **why) HD_MUST_USE;
/* Reads the headers of the archive from next_entry on. Blocking. *entries: how many. */
int cor_agents_replay(struct cor_agents *agents, const char *archive_dir,
                      uint64_t *entries) HD_MUST_USE;
