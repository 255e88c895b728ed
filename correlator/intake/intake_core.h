/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of intake/ share: the intake's inside and one agent's connection.
 */
#pragma once
#include <sys/queue.h>

#include <haidang/journal_writer.h>
#include <haidang/loop.h>
#include <haidang/stream.h>

#include "correlator/intake/addresses.h"
#include "correlator/intake/admit.h"
#include "correlator/intake/agents.h"
#include "correlator/intake/intake.h"
#include "correlator/intake/pace.h"

enum cor_session_state {
    COR_SESSION_TLS,
    COR_SESSION_HELLO, /* secure; who is it? */
    COR_SESSION_ACTIVE,
    COR_SESSION_CLOSING,
};

TAILQ_HEAD(cor_session_list, cor_session);

struct cor_session {
    struct cor_intake *intake;
    struct hd_stream *stream;
    struct hd_ip net; /* its handshake counts for this address */
    enum cor_session_state state;
    struct cor_agent *agent; /* from HELLO until CLOSING */
    struct hd_buf in;        /* a frame that is not complete, or that has to wait */
    uint64_t reserved;       /* of the intake's memory, for `in` */
    uint64_t opened_ms, heard_ms;
    uint64_t frame_since_ms; /* the frame in `in` began; 0 = none */
    uint64_t credits_high;   /* the most ever granted */
    /* Where it waits, paused: for_disk, for_more or for_memory. NULL: it does not. */
    struct cor_session_list *waits_in;
    bool wants_ack;
    TAILQ_ENTRY(cor_session) all, waiting, acks;
};

struct cor_listener {
    struct hd_listener *listener;
    uv_stream_t *deferred; /* a connection that waits for admission */
};

enum cor_archive_state {
    COR_ARCHIVE_OK,
    COR_ARCHIVE_FULL,    /* agents are sent away */
    COR_ARCHIVE_PROBING, /* the next batch shows whether it takes data again */
};

struct cor_intake {
    struct cor_intake_opts opts;
    struct hd_owner owner;
    uv_timer_t tick, admission;
    uv_prepare_t acks_due;
    struct cor_agents agents;
    struct cor_admit admit;
    struct cor_pace pace;           /* of what is on its way to the archive */
    struct cor_addresses addresses; /* in their handshakes */
    struct cor_listener listeners[COR_INTAKE_LISTEN_MAX];
    size_t n_listeners;
    size_t next_listener; /* whose turn it is when a place becomes free */
    struct hd_journal_writer *archive;
    struct cor_session_list sessions, acks;
    /* Who waits for the disk may hold the memory that others wait for: these queues are
     * served first. Of them the first is for those who have nothing on its way to the
     * disk, so that who has does not stand in front of them; it is there soon. */
    struct cor_session_list for_disk, for_more, for_memory;
    struct cor_session *turn; /* who was woken, and has not yet got what it waited for */
    struct cor_session_list *turn_in;
    uint32_t n_sessions, n_active;
    uint64_t memory_used;
    enum cor_archive_state archive_state;
    int archive_err;
    uint64_t retry_ms;
    uint64_t syncs_seen;
    struct hd_buf scratch; /* frames and metas being encoded */
    unsigned ticks;
    uv_work_t save_work;
    struct hd_buf save_text;
    int save_err;
    bool is_saving, has_changed;
    bool is_closing;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* ---- session.c ---- */

void cor_session_accept(struct cor_intake *intake, uv_stream_t *server);
/* Once a second: deadlines. */
void cor_session_tick(struct cor_session *session, uint64_t now_ms);
void cor_session_ack(struct cor_session *session);
/* Goes on with what it had to wait for. False: it still has to wait. */
bool cor_session_go_on(struct cor_session *session);
/* The archive refused what it sent. */
void cor_session_refused(struct cor_session *session, int err);
void cor_session_shutdown(struct cor_session *session);

/* ---- intake.c ---- */

uint32_t cor_intake_credits(const struct cor_intake *intake);
/* Of the intake's memory. False: wait for it. */
bool cor_intake_reserve(struct cor_session *session, uint64_t bytes);
void cor_intake_release(struct cor_intake *intake, uint64_t bytes);
/* In one of the intake's queues. */
void cor_intake_wait(struct cor_session *session, struct cor_session_list *queue);
void cor_intake_stop_waiting(struct cor_session *session);
/* Nobody waits in the queue, or this session was woken from it: one batch, or the memory
 * of one frame, is its turn; then it says so, and is behind the others again. */
bool cor_intake_has_turn(const struct cor_session *session,
                         const struct cor_session_list *queue);
struct cor_session_list *cor_intake_disk_queue(const struct cor_session *session);
void cor_intake_took_turn(const struct cor_session *session);
void cor_intake_want_ack(struct cor_intake *intake, struct cor_session *session);
/* A handshake has ended, well or not. */
void cor_intake_admitted(struct cor_intake *intake, const struct cor_session *session);
/* The last thing a session does. */
void cor_intake_gone(struct cor_intake *intake, struct cor_session *session);
