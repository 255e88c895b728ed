/* SPDX-License-Identifier: Apache-2.0
 *
 * An agent for tests of the correlator: speaks the wire protocol over mutual TLS, sends
 * numbered lines in batches inside its credits, keeps what is not acknowledged and sends
 * it again over the next connection, batch by batch as it was. Or says what a test wants
 * it to say. Loop thread.
 */
#pragma once
#include <haidang/stream.h>
#include <haidang/wire.h>

struct fake_agent;

struct fake_agent_opts {
    uv_loop_t *loop;
    const char *host; /* NULL = 127.0.0.1 */
    uint16_t port;
    struct hd_tls *tls; /* NULL = plain TCP */
    const char *name;   /* as in the certificate */
    const char *boot;
    uint64_t lines;       /* to deliver in all */
    uint32_t batch_lines; /* 0 = 100 */
    bool is_random;       /* lines of text that does not compress */
    uint64_t retry_ms;    /* connects again after so long; 0 = never */
    bool is_silent;       /* says nothing by itself, not even HELLO */
    void (*on_frame)(void *ctx, struct fake_agent *agent,
                     const struct hd_wire_frame *frame);   /* may be NULL */
    void (*on_done)(void *ctx, struct fake_agent *agent);  /* all lines acknowledged */
    void (*on_close)(void *ctx, struct fake_agent *agent); /* a connection ended */
    void *ctx;
};

struct fake_agent *fake_agent_new(const struct fake_agent_opts *opts);
/* Ends the connection; the loop must run a little for it to be freed. */
void fake_agent_free(struct fake_agent *agent);

/* What it knows. */
bool fake_agent_is_open(const struct fake_agent *agent);
uint64_t fake_agent_acked(const struct fake_agent *agent);
uint64_t fake_agent_sent(const struct fake_agent *agent);        /* last sequence sent */
unsigned fake_agent_connections(const struct fake_agent *agent); /* that were open */
int fake_agent_bye(const struct fake_agent *agent); /* code of the last BYE; -1 = none */
const char *fake_agent_bye_text(const struct fake_agent *agent);

/* Sends these bytes, whatever they are. */
void fake_agent_say(struct fake_agent *agent, struct hd_slice bytes);
void fake_agent_drop(struct fake_agent *agent); /* the connection, at once */
/* Frames as this agent would send them, appended. */
void fake_agent_hello(const struct fake_agent *agent, struct hd_buf *out);
void fake_agent_batch(const struct fake_agent *agent, uint64_t first, struct hd_buf *out);
