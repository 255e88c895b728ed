/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/enrich/enrich.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

struct file_id {
    bool exists;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

struct cor_enrich {
    _Atomic unsigned refs;
    struct hd_inventory *inventory;
    struct cor_geo_db *city, *asn;
    struct file_id city_id, asn_id;
};

static bool is_given(const char *path)
{
    return path != NULL && path[0] != '\0';
}

static struct file_id identify(const char *path)
{
    struct stat st;
    if (!is_given(path) || stat(path, &st) != 0) {
        return (struct file_id){0};
    }
    return (struct file_id){true, st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool differs(struct file_id a, struct file_id b)
{
    return a.exists &&
           (a.dev != b.dev || a.ino != b.ino || a.size != b.size ||
            a.mtime.tv_sec != b.mtime.tv_sec || a.mtime.tv_nsec != b.mtime.tv_nsec);
}

static void destroy(struct cor_enrich *e)
{
    hd_inventory_free(e->inventory);
    cor_geo_close(e->city);
    cor_geo_close(e->asn);
    free(e);
}

static int worse(int err, int other)
{
    return err != HD_OK ? err : other;
}

int cor_enrich_load(const struct cor_enrich_opts *opts, struct cor_enrich **out,
                    struct hd_diags *diags)
{
    struct cor_enrich *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return HD_ENOMEM;
    }
    atomic_init(&e->refs, 1);
    int err = HD_OK;
    if (is_given(opts->inventory)) {
        err = hd_inventory_load(opts->inventory, &e->inventory, diags);
    }
    /* Identified before they are read: a file replaced meanwhile is read once more. */
    e->city_id = identify(opts->city_db);
    e->asn_id = identify(opts->asn_db);
    if (is_given(opts->city_db)) {
        err = worse(err, cor_geo_open(opts->city_db, opts->scratch_dir, &e->city, diags));
    }
    if (is_given(opts->asn_db)) {
        err = worse(err, cor_geo_open(opts->asn_db, opts->scratch_dir, &e->asn, diags));
    }
    if (err != HD_OK) {
        destroy(e);
        return err;
    }
    *out = e;
    return HD_OK;
}

struct cor_enrich *cor_enrich_ref(struct cor_enrich *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void cor_enrich_unref(struct cor_enrich *e)
{
    if (e != NULL && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) {
        destroy(e);
    }
}

bool cor_enrich_is_stale(const struct cor_enrich *e, const struct cor_enrich_opts *opts)
{
    return differs(identify(opts->city_db), e->city_id) ||
           differs(identify(opts->asn_db), e->asn_id);
}

size_t cor_enrich_systems(const struct cor_enrich *e)
{
    return e->inventory == NULL ? 0 : hd_inventory_count(e->inventory);
}

const struct hd_system *cor_enrich_system_at(const struct cor_enrich *e, size_t i)
{
    return hd_inventory_at(e->inventory, i);
}

size_t cor_enrich_system_index(const struct cor_enrich *e, const struct hd_system *system)
{
    return (size_t)(system - hd_inventory_at(e->inventory, 0));
}

const struct hd_system *cor_enrich_system(const struct cor_enrich *e,
                                          const struct cor_subject *subject)
{
    if (e->inventory == NULL) {
        return NULL;
    }
    const struct hd_system *found = hd_inventory_by_id(e->inventory, subject->system);
    if (found == NULL) {
        found = hd_inventory_by_host(e->inventory, subject->host);
    }
    if (found == NULL) {
        found = hd_inventory_by_host(e->inventory, subject->agent);
    }
    if (found == NULL && subject->destination != NULL) {
        found = hd_inventory_by_ip(e->inventory, subject->destination);
    }
    if (found == NULL && subject->source != NULL) {
        found = hd_inventory_by_ip(e->inventory, subject->source);
    }
    return found;
}

static bool is_ours(const struct cor_enrich *e, const struct hd_ip *ip)
{
    return hd_ip_is_private(ip) ||
           (e->inventory != NULL && hd_inventory_by_ip(e->inventory, ip) != NULL);
}

const char *cor_enrich_direction(const struct cor_enrich *e,
                                 const struct cor_subject *subject)
{
    if (subject->source == NULL) {
        return NULL;
    }
    bool from_us = is_ours(e, subject->source);
    bool to_us = subject->destination == NULL || is_ours(e, subject->destination);
    if (from_us) {
        return to_us ? "internal" : "outbound";
    }
    return to_us ? "inbound" : NULL;
}

int cor_enrich_geo(const struct cor_enrich *e, const struct hd_ip *ip,
                   struct cor_geo *geo)
{
    bool is_known = false, is_broken = false;
    const struct cor_geo_db *dbs[] = {e->city, e->asn};
    for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
        int err = dbs[i] == NULL ? HD_ENOENT : cor_geo_lookup(dbs[i], ip, geo);
        is_known = is_known || err == HD_OK;
        is_broken = is_broken || err == HD_ECORRUPT;
    }
    return is_broken ? HD_ECORRUPT : is_known ? HD_OK : HD_ENOENT;
}
