/* SPDX-License-Identifier: Apache-2.0
 *
 * A loss: what did not arrive, was cut, refused or forgotten, said by whoever knows it
 * (docs/formats/loss.md). One compact JSON object a line, in the loss ledger of the
 * correlator and, on its way there, in an agent's batches.
 */
#pragma once
#include <stdint.h>

#include <haidang/batch.h>
#include <haidang/buf.h>
#include <haidang/err.h>
#include <haidang/slice.h>

/* kind, its name, what is counted, why, what to do about it */
#define HD_LOSS_MAP(X)                                                                   \
    X(HD_LOSS_OTHER, "other", "items", "of a kind that this version does not know",      \
      "update this program")                                                             \
    X(HD_LOSS_SPOOL_FULL, "agent-spool-full", "lines",                                   \
      "the agent's spool was full or too slow, and the sender does not wait",            \
      "restore the link to the correlator; raise spool_max; move the sender to TCP")     \
    X(HD_LOSS_KERNEL_DROPS, "udp-kernel-drops", "datagrams",                             \
      "the socket's receive buffer was full",                                            \
      "raise receive_buffer and net.core.rmem_max, or move the sender to TCP")           \
    X(HD_LOSS_PACKETS, "pcap-drops", "packets", "the capture ring was full",             \
      "raise packet.buffer, narrow packet.filter, or give the machine more processor")   \
    X(HD_LOSS_TRUNCATED, "truncated-lines", "lines",                                     \
      "longer than line_max: the end was cut off, the beginning is kept",                \
      "raise line_max, or look at the program that writes such lines")                   \
    X(HD_LOSS_STREAM, "stream-bytes", "pieces",                                          \
      "there was no memory to keep what a stream brought",                               \
      "give the agent's machine more memory")                                            \
    X(HD_LOSS_UNREAD, "unread-truncated", "bytes",                                       \
      "the file was truncated before they were read",                                    \
      "see the alert about the file; keep the agent's spool from being full")            \
    X(HD_LOSS_GAP, "sequence-gap", "lines",                                              \
      "the agent numbered them and no longer has them",                                  \
      "look at the agent's disk: was its spool changed, damaged or removed?")            \
    X(HD_LOSS_LATE, "late-events", "hits",                                               \
      "came too late to be correlated; single rules saw them",                           \
      "repair the agent's clock or link, or raise detect.lateness")                      \
    X(HD_LOSS_GROUPS, "evicted-groups", "groups",                                        \
      "correlations forgot them because memory was full", "raise detect.memory")         \
    X(HD_LOSS_BATCH, "unreadable-batch", "lines",                                        \
      "archived, but rules could not read them",                                         \
      "report this; the lines are in the "                                               \
      "archive")                                                                         \
    X(HD_LOSS_DAMAGED, "damaged-entry", "entries", "what is stored does not verify",     \
      "replace the disk, or find out who changed the files")                             \
    X(HD_LOSS_REMOVED, "unread-removed", "entries",                                      \
      "removed by retention, or lost with damage, before they were read",                \
      "give the archive more room, or detection more processor")                         \
    X(HD_LOSS_DEAD_LETTER, "dead-letter", "alerts",                                      \
      "a destination will never take them",                                              \
      "report these alerts by hand; correct the profile or the settings")

#define HD_LOSS_ENUM(id, name, unit, why, todo) id,
enum hd_loss_kind { HD_LOSS_MAP(HD_LOSS_ENUM) HD_LOSS_KINDS };
#undef HD_LOSS_ENUM

const char *hd_loss_name(enum hd_loss_kind kind); /* "udp-kernel-drops" */
const char *hd_loss_unit(enum hd_loss_kind kind); /* "datagrams" */
const char *hd_loss_why(enum hd_loss_kind kind);
const char *hd_loss_todo(enum hd_loss_kind kind);
/* HD_LOSS_OTHER when it is none. */
enum hd_loss_kind hd_loss_find(struct hd_slice name);

#define HD_LOSS_VERSION  1
#define HD_LOSS_LINE_MAX 8192U /* one as JSON */
/* The source under which an agent sends its own. */
#define HD_LOSS_SOURCE_KIND "haidang"
#define HD_LOSS_SOURCE_NAME "losses"

struct hd_loss {
    enum hd_loss_kind kind;
    int64_t time_ns;              /* when this was written down */
    int64_t first_ns, last_ns;    /* when it was lost, or found to be */
    uint64_t count, bytes;        /* bytes: 0 = not known */
    uint64_t first_seq, last_seq; /* 0 = no sequence */
    char by[16];                  /* program: "agent", "correlator" */
    char agent[HD_BATCH_NAME_MAX + 1];
    char boot[33];
    char source[2 * HD_BATCH_NAME_MAX + 2];   /* "syslog-udp :514" */
    char at[HD_BATCH_NAME_MAX + 1 + 33 + 21]; /* where it is written down or was found:
                           the same fact is there once. Empty: nothing to know it by */
    char why[256];                            /* empty: what the kind says */
};

/* Copies text into a member, cut to its size. */
#define HD_LOSS_SET(member, slice) hd_loss_text((member), sizeof(member), (slice))
void hd_loss_text(char *out, size_t cap, struct hd_slice text);

/* Appends the line with its line feed. */
int hd_loss_encode(const struct hd_loss *loss, struct hd_buf *out) HD_MUST_USE;
/* HD_EPARSE, HD_EVERSION, HD_ENOMEM. Members that are not known are passed over. */
int hd_loss_decode(struct hd_slice line, struct hd_loss *out) HD_MUST_USE;

/* ---- coalescing: one record a kind and source ---- */

struct hd_loss_tally;
int hd_loss_tally_new(struct hd_loss_tally **out) HD_MUST_USE;
void hd_loss_tally_free(struct hd_loss_tally *tally);
/* Never fails: sources that there is no row for are counted together as "others". */
void hd_loss_tally_add(struct hd_loss_tally *tally, const struct hd_loss *loss);
/* The oldest row; NULL: there is none. Valid until the next call. */
const struct hd_loss *hd_loss_tally_first(const struct hd_loss_tally *tally);
void hd_loss_tally_drop_first(struct hd_loss_tally *tally);
