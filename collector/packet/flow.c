/* SPDX-License-Identifier: Apache-2.0
 *
 * Chained hash table over flow indices (seeded hash, so that nobody outside can choose
 * collisions), one LRU list for each time-out class. An entry moves to the tail of its
 * list with every packet, so that expiry only ever looks at the heads.
 */
#include "collector/packet/flow.h"

#include <stdlib.h>

#include <haidang/clock.h>
#include <haidang/hash.h>

#define FLOWS_DEFAULT 65536U
#define FLOWS_MAX     (1U << 22)
#define SLAB_BITS     7U /* 128 flows, about 21 KiB */
#define SLAB_FLOWS    (1U << SLAB_BITS)
#define ID_MASK       ((UINT64_C(1) << 53) - 1) /* exact in every JSON reader */

static const int64_t idle_default_ns[COL_FLOW_CLASSES] = {
    [COL_FLOW_LINGER] = 5 * HD_NS_PER_SEC,
    [COL_FLOW_HALF] = 30 * HD_NS_PER_SEC,
    [COL_FLOW_DATAGRAM] = 60 * HD_NS_PER_SEC,
    [COL_FLOW_OPEN] = 3600 * HD_NS_PER_SEC,
};

struct lru {
    uint32_t head, tail; /* head: idle for longest */
};

struct col_flow_table {
    struct col_flow_opts opts;
    struct col_flow **slabs;
    uint32_t slab_count;
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t free_head;
    uint32_t count;
    uint64_t evicted;
    int64_t now_ns;
    struct lru lru[COL_FLOW_CLASSES];
};

static struct col_flow *at(const struct col_flow_table *t, uint32_t index)
{
    return &t->slabs[index >> SLAB_BITS][index & (SLAB_FLOWS - 1)];
}

static uint32_t power_of_two(uint32_t n)
{
    uint32_t p = 64;
    while (p < n) {
        p <<= 1;
    }
    return p;
}

int col_flow_table_new(const struct col_flow_opts *opts, struct col_flow_table **out)
{
    *out = NULL;
    struct col_flow_table *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return HD_ENOMEM;
    }
    t->opts = *opts;
    if (t->opts.max == 0) {
        t->opts.max = FLOWS_DEFAULT;
    } else if (t->opts.max > FLOWS_MAX) {
        t->opts.max = FLOWS_MAX;
    }
    for (int i = 0; i < COL_FLOW_CLASSES; i++) {
        t->lru[i] = (struct lru){COL_FLOW_NONE, COL_FLOW_NONE};
        if (t->opts.idle_ns[i] <= 0) {
            t->opts.idle_ns[i] = idle_default_ns[i];
        }
    }
    t->free_head = COL_FLOW_NONE;
    uint32_t buckets = power_of_two(t->opts.max);
    t->bucket_mask = buckets - 1;
    /* zero pages until used: a bucket holds index + 1 */
    t->buckets = calloc(buckets, sizeof(*t->buckets));
    t->slabs = calloc((t->opts.max + SLAB_FLOWS - 1) / SLAB_FLOWS, sizeof(*t->slabs));
    if (t->buckets == NULL || t->slabs == NULL) {
        col_flow_table_free(t);
        return HD_ENOMEM;
    }
    *out = t;
    return HD_OK;
}

void col_flow_table_free(struct col_flow_table *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->slab_count; i++) {
        free(t->slabs[i]);
    }
    free(t->slabs);
    free(t->buckets);
    free(t);
}

/* ---- lists ---- */

static void lru_unlink(struct col_flow_table *t, struct col_flow *f)
{
    struct lru *l = &t->lru[f->class_];
    if (f->lru_prev == COL_FLOW_NONE) {
        l->head = f->lru_next;
    } else {
        at(t, f->lru_prev)->lru_next = f->lru_next;
    }
    if (f->lru_next == COL_FLOW_NONE) {
        l->tail = f->lru_prev;
    } else {
        at(t, f->lru_next)->lru_prev = f->lru_prev;
    }
}

static void lru_append(struct col_flow_table *t, struct col_flow *f, uint32_t index)
{
    struct lru *l = &t->lru[f->class_];
    f->lru_prev = l->tail;
    f->lru_next = COL_FLOW_NONE;
    if (l->tail == COL_FLOW_NONE) {
        l->head = index;
    } else {
        at(t, l->tail)->lru_next = index;
    }
    l->tail = index;
}

static uint32_t index_of(const struct col_flow_table *t, const struct col_flow *f)
{
    const struct lru *l = &t->lru[f->class_];
    return f->lru_prev == COL_FLOW_NONE ? l->head : at(t, f->lru_prev)->lru_next;
}

static void bucket_unlink(struct col_flow_table *t, const struct col_flow *f,
                          uint32_t index)
{
    uint32_t *link = &t->buckets[f->hash & t->bucket_mask];
    while (*link != index + 1) {
        link = &at(t, *link - 1)->hash_next;
    }
    *link = f->hash_next;
}

static void end_flow(struct col_flow_table *t, uint32_t index, enum col_flow_end how)
{
    struct col_flow *f = at(t, index);
    if (t->opts.ended != NULL) {
        t->opts.ended(t->opts.ctx, f, how);
    }
    bucket_unlink(t, f, index);
    lru_unlink(t, f);
    f->hash_next = t->free_head;
    t->free_head = index;
    t->count--;
}

/* ---- making entries ---- */

static int add_slab(struct col_flow_table *t)
{
    struct col_flow *slab = calloc(SLAB_FLOWS, sizeof(*slab));
    if (slab == NULL) {
        return HD_ENOMEM;
    }
    uint32_t base = t->slab_count << SLAB_BITS;
    t->slabs[t->slab_count++] = slab;
    for (uint32_t i = SLAB_FLOWS; i-- > 0;) {
        slab[i].hash_next = t->free_head;
        t->free_head = base + i;
    }
    return HD_OK;
}

/* Ends the flow that matters least. */
static void evict(struct col_flow_table *t)
{
    for (int c = 0; c < COL_FLOW_CLASSES; c++) {
        if (t->lru[c].head != COL_FLOW_NONE) {
            t->evicted += c != COL_FLOW_LINGER;
            end_flow(t, t->lru[c].head, COL_END_FORCED);
            return;
        }
    }
}

static uint32_t take_slot(struct col_flow_table *t)
{
    if (t->count >= t->opts.max) {
        evict(t);
    }
    if (t->free_head == COL_FLOW_NONE && add_slab(t) != HD_OK) {
        if (t->count == 0) {
            return COL_FLOW_NONE;
        }
        evict(t);
    }
    uint32_t index = t->free_head;
    t->free_head = at(t, index)->hash_next;
    t->count++;
    return index;
}

/* Fills the key; says whether the packet's source came second in it. */
static unsigned make_key(const struct col_packet *p, struct col_flow_key *key)
{
    int order = memcmp(p->src.byte, p->dst.byte, sizeof(p->src.byte));
    unsigned src = order > 0 || (order == 0 && p->src_port > p->dst_port) ? 1 : 0;
    *key = (struct col_flow_key){0};
    key->ip[src] = p->src;
    key->ip[1 - src] = p->dst;
    key->port[src] = p->src_port;
    key->port[1 - src] = p->dst_port;
    key->proto = p->proto;
    key->vlans = p->vlans;
    memcpy(key->vlan, p->vlan, sizeof(key->vlan));
    if ((p->proto == COL_PROTO_ICMP || p->proto == COL_PROTO_ICMP6) &&
        !col_icmp_is_echo(p->proto, p->icmp_type)) {
        key->icmp = (uint8_t)(p->icmp_type + 1U);
    }
    return src;
}

/* Does the packet that starts a flow come from the server? SYN and echo requests tell;
 * of a connection that is older than the capture the lower port is the server's. */
static bool is_from_server(const struct col_packet *p)
{
    switch (p->proto) {
    case COL_PROTO_TCP:
        if ((p->tcp_flags & COL_TCP_SYN) != 0) {
            return (p->tcp_flags & COL_TCP_ACK) != 0;
        }
        return p->src_port < p->dst_port;
    case COL_PROTO_UDP:
        return p->src_port < 1024 && p->dst_port >= 1024;
    case COL_PROTO_ICMP:
        return p->icmp_type == 0;
    default:
        return p->icmp_type == 129;
    }
}

static enum col_flow_class first_class(const struct col_packet *p)
{
    if (p->proto != COL_PROTO_TCP) {
        return COL_FLOW_DATAGRAM;
    }
    return (p->tcp_flags & (COL_TCP_SYN | COL_TCP_RST)) != 0 ? COL_FLOW_HALF
                                                             : COL_FLOW_OPEN;
}

static void stream_reset(struct col_flow_stream *s)
{
    *s = (struct col_flow_stream){.buf = COL_STREAM_NONE};
}

static struct col_flow *insert(struct col_flow_table *t, const struct col_flow_key *key,
                               uint32_t hash, unsigned src, const struct col_packet *p)
{
    uint32_t index = take_slot(t);
    if (index == COL_FLOW_NONE) {
        return NULL;
    }
    struct col_flow *f = at(t, index);
    *f =
        (struct col_flow){.key = *key, .hash = hash, .start_ns = p->ns, .last_ns = p->ns};
    f->client = (uint8_t)(is_from_server(p) ? 1 - src : src);
    f->class_ = (uint8_t)first_class(p);
    f->icmp_type = p->icmp_type;
    f->icmp_code = p->icmp_code;
    f->id = hd_hash_stable(hd_slice(key, sizeof(*key)), (uint64_t)p->ns) & ID_MASK;
    stream_reset(&f->side[0].stream);
    stream_reset(&f->side[1].stream);
    f->hash_next = t->buckets[hash & t->bucket_mask];
    t->buckets[hash & t->bucket_mask] = index + 1;
    lru_append(t, f, index);
    return f;
}

static uint32_t find(const struct col_flow_table *t, const struct col_flow_key *key,
                     uint32_t hash)
{
    uint32_t link = t->buckets[hash & t->bucket_mask];
    while (link != 0) {
        const struct col_flow *f = at(t, link - 1);
        if (f->hash == hash && memcmp(&f->key, key, sizeof(*key)) == 0) {
            return link - 1;
        }
        link = f->hash_next;
    }
    return COL_FLOW_NONE;
}

/* Is a closed flow's pair of ports in use again: by a new connection, or because who is
 * said to have sent RST goes on sending (so another one forged it)? */
static bool is_reused(const struct col_flow *f, enum col_dir dir,
                      const struct col_packet *p)
{
    if (f->class_ != COL_FLOW_LINGER) {
        return false;
    }
    return (p->tcp_flags & (COL_TCP_SYN | COL_TCP_ACK)) == COL_TCP_SYN ||
           (p->payload_len > 0 && (f->side[dir].tcp_flags & COL_TCP_RST) != 0);
}

struct col_flow *col_flow_lookup(struct col_flow_table *t, const struct col_packet *p,
                                 enum col_dir *dir, bool *is_new)
{
    struct col_flow_key key;
    unsigned src = make_key(p, &key);
    uint32_t hash = (uint32_t)hd_hash(hd_slice(&key, sizeof(key)));
    uint32_t index = find(t, &key, hash);
    struct col_flow *f = index == COL_FLOW_NONE ? NULL : at(t, index);
    t->now_ns = p->ns;
    if (f != NULL && is_reused(f, src == f->client ? COL_TO_SERVER : COL_TO_CLIENT, p)) {
        end_flow(t, index, COL_END_CLOSED);
        f = NULL;
    }
    *is_new = f == NULL;
    if (f == NULL) {
        f = insert(t, &key, hash, src, p);
        if (f == NULL) {
            return NULL;
        }
    }
    *dir = src == f->client ? COL_TO_SERVER : COL_TO_CLIENT;
    return f;
}

static void move_to(struct col_flow_table *t, struct col_flow *f, enum col_flow_class to)
{
    uint32_t index = index_of(t, f);
    if (f->class_ == (uint8_t)to && t->lru[to].tail == index) {
        return;
    }
    lru_unlink(t, f);
    f->class_ = (uint8_t)to;
    lru_append(t, f, index);
}

/* RFC 9293 section 3.3.2, as far as an onlooker can tell */
static enum col_flow_class next_class(const struct col_flow *f,
                                      const struct col_packet *p)
{
    uint8_t ts = f->side[COL_TO_SERVER].tcp_flags;
    uint8_t tc = f->side[COL_TO_CLIENT].tcp_flags;
    if (((ts | tc) & COL_TCP_RST) != 0) {
        return COL_FLOW_LINGER;
    }
    if ((ts & tc & COL_TCP_FIN) != 0) { /* closed by what follows the second FIN */
        return (p->tcp_flags & COL_TCP_FIN) != 0 ? COL_FLOW_HALF : COL_FLOW_LINGER;
    }
    if (f->class_ == COL_FLOW_HALF && (ts & COL_TCP_ACK) != 0 &&
        (tc & COL_TCP_ACK) != 0) {
        return COL_FLOW_OPEN;
    }
    return (enum col_flow_class)f->class_;
}

bool col_flow_update(struct col_flow_table *t, struct col_flow *f, enum col_dir dir,
                     const struct col_packet *p)
{
    if (f->class_ == COL_FLOW_LINGER) {
        return false; /* its last record is out; time it from the end */
    }
    struct col_flow_side *side = &f->side[dir];
    side->packets++;
    side->bytes += p->wire_len;
    side->tcp_flags |= p->tcp_flags;
    f->last_ns = p->ns;
    enum col_flow_class to =
        f->key.proto == COL_PROTO_TCP ? next_class(f, p) : COL_FLOW_DATAGRAM;
    move_to(t, f, to);
    return to == COL_FLOW_LINGER;
}

/* ---- time ---- */

static bool is_idle(const struct col_flow_table *t, const struct col_flow *f, int64_t now)
{
    int64_t idle = t->opts.idle_ns[f->class_];
    int64_t since = 0;
    if (__builtin_sub_overflow(now, f->last_ns, &since)) {
        return true;
    }
    return since >= idle || since < -idle;
}

unsigned col_flow_expire(struct col_flow_table *t, int64_t now_ns, unsigned limit)
{
    unsigned ended = 0;
    t->now_ns = now_ns;
    for (int c = 0; c < COL_FLOW_CLASSES; c++) {
        while (ended < limit && t->lru[c].head != COL_FLOW_NONE &&
               is_idle(t, at(t, t->lru[c].head), now_ns)) {
            end_flow(t, t->lru[c].head, COL_END_TIMEOUT);
            ended++;
        }
    }
    return ended;
}

unsigned col_flow_flush(struct col_flow_table *t, unsigned limit)
{
    unsigned ended = 0;
    for (int c = 0; c < COL_FLOW_CLASSES; c++) {
        while (ended < limit && t->lru[c].head != COL_FLOW_NONE) {
            end_flow(t, t->lru[c].head, COL_END_SHUTDOWN);
            ended++;
        }
    }
    return ended;
}

int64_t col_flow_deadline(const struct col_flow_table *t)
{
    int64_t soonest = INT64_MAX;
    for (int c = 0; c < COL_FLOW_CLASSES; c++) {
        int64_t due = 0;
        if (t->lru[c].head == COL_FLOW_NONE) {
            continue;
        }
        if (__builtin_add_overflow(at(t, t->lru[c].head)->last_ns, t->opts.idle_ns[c],
                                   &due)) {
            due = INT64_MAX - 1;
        }
        soonest = due < soonest ? due : soonest;
    }
    return soonest;
}

int64_t col_flow_now(const struct col_flow_table *t)
{
    return t->now_ns;
}

uint32_t col_flow_count(const struct col_flow_table *t)
{
    return t->count;
}

uint64_t col_flow_evicted(const struct col_flow_table *t)
{
    return t->evicted;
}
