/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/inventory.h>

#include <stdlib.h>
#include <string.h>

#include <haidang/fs.h>
#include <haidang/hash.h>

#include "lib/inventory_table.h"

int hd_inventory_new(struct hd_inventory **out)
{
    struct hd_inventory *inv = calloc(1, sizeof(*inv));
    if (inv == NULL) {
        return HD_ENOMEM;
    }
    if (hd_index_init(&inv->by_id, 64) != HD_OK ||
        hd_index_init(&inv->by_host, 64) != HD_OK || hd_nets_init(&inv->nets) != HD_OK) {
        hd_inventory_free(inv);
        return HD_ENOMEM;
    }
    *out = inv;
    return HD_OK;
}

void hd_system_fini(struct hd_system *system)
{
    free(system->id);
    free(system->name);
    free(system->agency);
    free(system->contact);
    *system = (struct hd_system){0};
}

void hd_inventory_free(struct hd_inventory *inv)
{
    if (inv == NULL) {
        return;
    }
    for (uint32_t i = 0; i < inv->n_systems; i++) {
        hd_system_fini(&inv->systems[i]);
    }
    for (uint32_t i = 0; i < inv->n_hosts; i++) {
        free(inv->hosts[i].name);
    }
    free(inv->systems);
    free(inv->hosts);
    hd_index_fini(&inv->by_id);
    hd_index_fini(&inv->by_host);
    hd_nets_fini(&inv->nets);
    free(inv);
}

/* ---- lookup ---- */

struct wanted {
    const struct hd_inventory *inv;
    struct hd_slice text;
};

static bool same_id(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    return hd_slice_eq(hd_slice_str(w->inv->systems[at].id), w->text);
}

static bool same_host(const void *ctx, uint32_t at)
{
    const struct wanted *w = ctx;
    return hd_slice_eq_nocase(hd_slice_str(w->inv->hosts[at].name), w->text);
}

uint64_t hd_inventory_host_hash(struct hd_slice host)
{
    uint8_t lower[HD_INVENTORY_HOST_MAX];
    size_t len = host.len < sizeof(lower) ? host.len : sizeof(lower);
    for (size_t i = 0; i < len; i++) {
        lower[i] = hd_lower(host.ptr[i]);
    }
    return hd_hash(hd_slice(lower, len));
}

uint32_t hd_inventory_find_id(const struct hd_inventory *inv, struct hd_slice id)
{
    return hd_index_find(&inv->by_id, hd_hash(id), same_id, &(struct wanted){inv, id});
}

uint32_t hd_inventory_find_host(const struct hd_inventory *inv, struct hd_slice host)
{
    return hd_index_find(&inv->by_host, hd_inventory_host_hash(host), same_host,
                         &(struct wanted){inv, host});
}

size_t hd_inventory_count(const struct hd_inventory *inv)
{
    return inv->n_systems;
}

const struct hd_system *hd_inventory_at(const struct hd_inventory *inv, size_t i)
{
    return i < inv->n_systems ? &inv->systems[i] : NULL;
}

const struct hd_system *hd_inventory_by_id(const struct hd_inventory *inv,
                                           struct hd_slice id)
{
    uint32_t at = id.len == 0 ? HD_INDEX_NONE : hd_inventory_find_id(inv, id);
    return at == HD_INDEX_NONE ? NULL : &inv->systems[at];
}

const struct hd_system *hd_inventory_by_host(const struct hd_inventory *inv,
                                             struct hd_slice host)
{
    if (host.len == 0 || host.len > HD_INVENTORY_HOST_MAX) {
        return NULL;
    }
    uint32_t at = hd_inventory_find_host(inv, host);
    return at == HD_INDEX_NONE ? NULL : &inv->systems[inv->hosts[at].system];
}

const struct hd_system *hd_inventory_by_ip(const struct hd_inventory *inv,
                                           const struct hd_ip *ip)
{
    uint32_t at = hd_nets_find(&inv->nets, ip);
    return at == HD_NETS_NONE ? NULL : &inv->systems[at];
}

/* ---- loading ---- */

int hd_inventory_parse(struct hd_slice text, const char *path, struct hd_inventory **out,
                       struct hd_diags *diags)
{
    struct hd_slice name = hd_slice_str(path);
    bool is_csv = hd_slice_ends_nocase(name, HD_SLICE(".csv"));
    bool is_yaml = hd_slice_ends_nocase(name, HD_SLICE(".yml")) ||
                   hd_slice_ends_nocase(name, HD_SLICE(".yaml"));
    if (!is_csv && !is_yaml) {
        hd_diag_error(diags, path, 0, 0,
                      "an inventory's name ends in .csv, .yml or .yaml");
        return HD_EPARSE;
    }
    unsigned errors_before = diags->errors;
    struct hd_inventory_builder b = {.diags = diags, .file = path};
    int err = hd_inventory_new(&b.inventory);
    if (err != HD_OK) {
        return err;
    }
    if (is_csv) {
        hd_inventory_read_csv(&b, text);
    } else {
        hd_inventory_read_yaml(&b, text);
    }
    hd_system_fini(&b.row);
    err = b.err != HD_OK ? b.err : diags->errors > errors_before ? HD_EPARSE : HD_OK;
    if (err != HD_OK) {
        hd_inventory_free(b.inventory);
        return err;
    }
    *out = b.inventory;
    return HD_OK;
}

int hd_inventory_load(const char *path, struct hd_inventory **out, struct hd_diags *diags)
{
    struct hd_buf text;
    hd_buf_init(&text, HD_INVENTORY_FILE_MAX + 1);
    int err = hd_fs_read(path, HD_INVENTORY_FILE_MAX, &text);
    if (err == HD_OK) {
        err = hd_inventory_parse(hd_buf_slice(&text), path, out, diags);
    } else {
        hd_diag_error(diags, path, 0, 0, "the inventory cannot be read: %s",
                      hd_err_text(err));
    }
    hd_buf_fini(&text);
    return err;
}
