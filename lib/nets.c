/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/nets.h>

#include <stdlib.h>
#include <string.h>

#include <haidang/array.h>
#include <haidang/hash.h>

#define BITS_MAX 128

int hd_nets_init(struct hd_nets *nets)
{
    *nets = (struct hd_nets){0};
    return hd_index_init(&nets->index, 16);
}

void hd_nets_fini(struct hd_nets *nets)
{
    hd_index_fini(&nets->index);
    free(nets->nets);
    *nets = (struct hd_nets){0};
}

static struct hd_cidr cut(const struct hd_ip *ip, uint8_t bits)
{
    struct hd_cidr out = {.base = *ip, .bits = bits};
    size_t whole = bits / 8;
    if (whole < sizeof(ip->byte)) {
        out.base.byte[whole] &= (uint8_t)(0xff00U >> (bits % 8));
        memset(out.base.byte + whole + 1, 0, sizeof(ip->byte) - whole - 1);
    }
    return out;
}

static uint64_t hash(const struct hd_cidr *cidr)
{
    uint8_t key[17];
    memcpy(key, cidr->base.byte, 16);
    key[16] = cidr->bits;
    return hd_hash(hd_slice(key, sizeof(key)));
}

struct wanted {
    const struct hd_nets *nets;
    const struct hd_cidr *cidr;
};

static bool same(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    const struct hd_cidr *have = &w->nets->nets[at].cidr;
    return have->bits == w->cidr->bits && hd_ip_eq(&have->base, &w->cidr->base);
}

static void note_length(struct hd_nets *nets, uint8_t bits)
{
    uint8_t i = 0;
    while (i < nets->n_lengths && nets->lengths[i] > bits) {
        i++;
    }
    if (i < nets->n_lengths && nets->lengths[i] == bits) {
        return;
    }
    memmove(nets->lengths + i + 1, nets->lengths + i, (size_t)(nets->n_lengths - i));
    nets->lengths[i] = bits;
    nets->n_lengths++;
}

static int make_room(struct hd_nets *nets)
{
    struct hd_net *more = hd_array_grow(nets->nets, nets->n, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    nets->nets = more;
    return HD_OK;
}

int hd_nets_add(struct hd_nets *nets, const struct hd_cidr *cidr, uint32_t value,
                uint32_t *other)
{
    if (cidr->bits > BITS_MAX) {
        return HD_EINVAL;
    }
    uint64_t h = hash(cidr);
    uint32_t at = hd_index_find(&nets->index, h, same, &(struct wanted){nets, cidr});
    if (at != HD_INDEX_NONE) {
        *other = nets->nets[at].value;
        return HD_EEXIST;
    }
    int err = make_room(nets);
    if (err == HD_OK) {
        err = hd_index_add(&nets->index, h, nets->n);
    }
    if (err != HD_OK) {
        return err;
    }
    nets->nets[nets->n++] = (struct hd_net){*cidr, value};
    note_length(nets, cidr->bits);
    return HD_OK;
}

uint32_t hd_nets_find(const struct hd_nets *nets, const struct hd_ip *ip)
{
    for (uint8_t i = 0; i < nets->n_lengths; i++) {
        struct hd_cidr cidr = cut(ip, nets->lengths[i]);
        uint32_t at =
            hd_index_find(&nets->index, hash(&cidr), same, &(struct wanted){nets, &cidr});
        if (at != HD_INDEX_NONE) {
            return nets->nets[at].value;
        }
    }
    return HD_NETS_NONE;
}
