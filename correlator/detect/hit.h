/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector hands to the state thread: copies of the events that some rule matched,
 * in messages of bounded size, and the reader's cursor behind each batch.
 *
 * A message belongs to the thread that holds it. Events are counted by reference among
 * hits of one message and, after the hand-over, by what the state thread keeps: never by
 * two threads at once, so the count is no atomic.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/canary.h>
#include <haidang/journal.h>

#include "correlator/losses/losses.h"

#include "correlator/detect/rules.h"

#define COR_HITS_MAX         256U       /* in one message */
#define COR_HITS_BYTES_MAX   (1U << 20) /* of copied events; one event may go over */

#define COR_CANARY_RULES_MAX 64U

/* What is known of an event that a canary brought: correlator/canary/canaries.h. */
struct cor_canary {
    char id[HD_CANARY_ID_LEN + 1], rule[HD_CANARY_RULE_MAX + 1];
    enum hd_canary_class class;
    uint8_t key_id[HD_KEY_ID_LEN];
    int64_t time_ns;
    uint32_t part, parts, at_ms;
    unsigned n_rules; /* that match it; more than fit are left out */
    const struct rul_rule *rules[COR_CANARY_RULES_MAX];
    struct hd_slice
        line; /* as it was received: the evidence; the event is what is in it */
    char text[];
};

struct cor_event {
    unsigned refs;
    struct cor_canary *canary; /* own; NULL: a real event */
    uint64_t seq;
    size_t bytes; /* memory it takes, for the bounds of those who keep it */
    bool is_truncated;
    struct rul_event_copy *copy;
    struct hd_slice agent, boot; /* views of `position` */
    struct hd_slice position;    /* "agent/boot/seq" */
    char text[];
};

struct cor_origin {
    struct hd_slice agent, boot;
    uint64_t seq;
    bool is_truncated;
};

/* own: *out, one reference. Takes `copy`, also on failure. */
int cor_event_new(const struct cor_origin *origin, struct rul_event_copy *copy,
                  struct cor_event **out) HD_MUST_USE;
/* own: the event of a copy that was kept and its position. HD_EINVAL: that is none. */
int cor_event_rebuild(struct hd_slice position, const struct rul_event_copy *kept,
                      struct cor_event **out) HD_MUST_USE;
/* own: *out, with a copy of the line. HD_ENOMEM. */
int cor_canary_new(const struct hd_canary *canary, struct hd_slice line,
                   struct cor_canary **out) HD_MUST_USE;
/* A rule matches the canary's event. */
void cor_canary_match(struct cor_canary *canary, const struct rul_rule *rule);
struct cor_event *cor_event_ref(struct cor_event *event);
void cor_event_unref(struct cor_event *event);

struct cor_hit {
    const struct rul_rule *rule; /* of the message's rules; NULL: a canary */
    struct cor_event *event;     /* a reference */
};

struct cor_hits {
    struct cor_rules *rules; /* a reference: what the batch was matched with */
    uint64_t generation;     /* of the set: later ones are larger */
    uint32_t n;
    size_t bytes;
    bool is_warm_up; /* before the cursor: feeds correlations, publishes nothing */
    bool has_cursor; /* the batch ends here */
    struct hd_journal_cursor cursor; /* behind the batch */
    int64_t taken_ns;                /* when the batch came to us */
    int64_t watermark_ns;            /* largest event time so far; 0 = none */
    uint32_t n_losses;
    struct cor_loss *losses, **losses_end; /* what the detector came across; own */
    struct cor_hit hits[COR_HITS_MAX];
};

/* own: takes a reference of the rules. */
int cor_hits_new(struct cor_rules *rules, struct cor_hits **out) HD_MUST_USE;
void cor_hits_free(struct cor_hits *hits);
static inline bool cor_hits_is_full(const struct cor_hits *hits)
{
    return hits->n == COR_HITS_MAX || hits->bytes >= COR_HITS_BYTES_MAX ||
           hits->n_losses >= COR_HITS_MAX;
}
/* The message must not be full. `rule` NULL: the event is a canary's. Takes its own
 * reference of the event. */
void cor_hits_add(struct cor_hits *hits, const struct rul_rule *rule,
                  struct cor_event *event);
int cor_hits_add_loss(struct cor_hits *hits, const struct hd_loss *loss) HD_MUST_USE;
