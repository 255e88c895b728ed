/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/inet.h>

static bool take(struct hd_slice name, char out[COL_ZONE_MAX])
{
    struct hd_zone *zone = NULL;
    if (name.len == 0 || name.len >= COL_ZONE_MAX) {
        return false;
    }
    (void)snprintf(out, COL_ZONE_MAX, "%.*s", HD_SLICE_FMT(name));
    if (hd_zone_open(out, &zone) != HD_OK) {
        return false;
    }
    hd_zone_close(zone);
    return true;
}

void col_zone_own(char out[COL_ZONE_MAX])
{
    const struct hd_slice tree = HD_SLICE("zoneinfo/");
    char target[256];
    if (take(hd_slice_str(getenv("TZ")), out)) {
        return;
    }
    ssize_t n = readlink("/etc/localtime", target, sizeof(target));
    struct hd_slice path = hd_slice(target, n > 0 ? (size_t)n : 0);
    size_t at = hd_slice_find(path, tree);
    if (at == HD_NPOS || !take(hd_slice_from(path, at + tree.len), out)) {
        (void)snprintf(out, COL_ZONE_MAX, "UTC");
    }
}

static bool listens_on_loopback(const char *listen)
{
    struct hd_hostport at;
    struct hd_ip ip;
    return listen != NULL && hd_hostport_parse(hd_slice_str(listen), &at) == HD_OK &&
           hd_ip_parse(hd_slice_str(at.host), &ip) == HD_OK && hd_ip_is_loopback(&ip);
}

struct hd_slice col_zone_of(const struct col_conf_source *conf,
                            const struct col_source_env *env)
{
    if (conf->time_zone != NULL && conf->time_zone[0] != '\0') {
        return hd_slice_str(conf->time_zone);
    }
    bool is_own = conf->kind == COL_KIND_FILE || conf->kind == COL_KIND_STDIN ||
                  listens_on_loopback(conf->listen);
    return is_own ? env->zone : HD_SLICE_EMPTY;
}
