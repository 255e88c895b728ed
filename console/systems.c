/* SPDX-License-Identifier: Apache-2.0 */
#include "console/systems.h"

#include <haidang/num.h>

#include <stdlib.h>
#include <unistd.h>

#include "console/names.h"
#include "console/search_where.h"

#define DEFAULT_INVENTORY "/etc/haidang/inventory.csv"
#define LEVEL_MAX         5U

struct question { /* all that is asked must hold */
    struct con_words systems, agencies;
    uint32_t level; /* at least */
};

/* ---- which systems ---- */

static bool is_asked(const struct question *q, const struct hd_system *system,
                     struct hd_buf *room)
{
    bool is_system = con_words_match(&q->systems, hd_slice_str(system->id), room) ||
                     con_words_match(&q->systems, hd_slice_str(system->name), room);
    return is_system && system->level >= q->level &&
           con_words_match(&q->agencies, hd_slice_str(system->agency), room);
}

/* "; did you mean ...?", by what the systems are called. own: free(); may be NULL. */
static char *hint_of(const struct con_systems *s, const char *word)
{
    struct con_names names = {0};
    int err = HD_OK;
    for (size_t i = 0; err == HD_OK && i < hd_inventory_count(s->inventory); i++) {
        const struct hd_system *system = hd_inventory_at(s->inventory, i);
        err = con_names_add(&names, hd_slice_str(system->id), 0);
        err = err == HD_OK ? con_names_add(&names, hd_slice_str(system->name), 0) : err;
    }
    char *hint = err == HD_OK ? con_names_hint(&names, hd_slice_str(word)) : NULL;
    con_names_fini(&names);
    return hint;
}

/* A word that no system has is a mistake: nothing can be found by it. */
static int check_words(const struct con_systems *s, const struct con_words *words,
                       struct hd_buf *room)
{
    int err = HD_OK;
    for (size_t w = 0; err == HD_OK && w < words->n; w++) {
        const struct question one = {.systems = {.list = {words->list[w]}, .n = 1}};
        bool is_known = false;
        for (size_t i = 0; i < hd_inventory_count(s->inventory) && !is_known; i++) {
            is_known = is_asked(&one, hd_inventory_at(s->inventory, i), room);
        }
        if (!is_known) {
            char *hint = hint_of(s, words->list[w]);
            err = con_fail(HD_ENOENT,
                           "no information system of the inventory is called '%s'%s",
                           words->list[w], hint != NULL ? hint : "");
            free(hint);
        }
    }
    return err;
}

static int choose(struct con_systems *s, const struct question *q, struct hd_buf *room)
{
    size_t n = hd_inventory_count(s->inventory), chosen = 0;
    s->is_wanted = calloc(n + 1, sizeof(*s->is_wanted));
    if (s->is_wanted == NULL) {
        return HD_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        s->is_wanted[i] = is_asked(q, hd_inventory_at(s->inventory, i), room);
        chosen += s->is_wanted[i];
    }
    int err = check_words(s, &q->systems, room);
    if (err == HD_OK && chosen == 0) {
        err = con_fail(HD_ENOENT, "no information system of the inventory is of that "
                                  "agency and level");
    }
    return err;
}

/* ---- options ---- */

static int load(struct con_systems *s, const struct con_args *args)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    const char *given = con_args_value(args, "inventory");
    const char *path = given != NULL ? given : DEFAULT_INVENTORY;
    int err = hd_inventory_load(path, &s->inventory, &diags);
    return err == HD_OK
               ? HD_OK
               : con_fail(err, "cannot load the inventory %s; name it with --inventory",
                          path);
}

static int parse(struct question *q, const struct con_args *args)
{
    const char *level = con_args_value(args, "level");
    int err = con_words_init(&q->systems, args, "system");
    err = err == HD_OK ? con_words_init(&q->agencies, args, "agency") : err;
    if (err == HD_OK && level != NULL &&
        (hd_num_u32(hd_slice_str(level), LEVEL_MAX, &q->level) != HD_OK ||
         q->level == 0)) {
        err = con_fail(HD_EINVAL, "--level is a number from 1 to %u, not '%s'", LEVEL_MAX,
                       level);
    }
    return err;
}

/* Without a choice the inventory is loaded where it is named, or there is one. */
static bool is_load_wanted(const struct question *q, const struct con_args *args,
                           bool is_shown)
{
    return q->systems.n > 0 || q->agencies.n > 0 || q->level > 0 ||
           (is_shown && (con_args_value(args, "inventory") != NULL ||
                         access(DEFAULT_INVENTORY, R_OK) == 0));
}

static int init(struct con_systems *s, const struct con_args *args, bool is_shown)
{
    struct question q = {0};
    struct hd_buf room;
    hd_buf_init(&room, 0);
    int err = parse(&q, args);
    s->is_chosen = q.systems.n > 0 || q.agencies.n > 0 || q.level > 0;
    if (err == HD_OK && is_load_wanted(&q, args, is_shown)) {
        err = load(s, args);
        err = err == HD_OK ? choose(s, &q, &room) : err;
    }
    con_words_fini(&q.systems);
    con_words_fini(&q.agencies);
    hd_buf_fini(&room);
    return err;
}

int con_systems_init(struct con_systems *s, const struct con_args *args)
{
    return init(s, args, false);
}

int con_systems_init_shown(struct con_systems *s, const struct con_args *args)
{
    return init(s, args, true);
}

void con_systems_fini(struct con_systems *s)
{
    hd_inventory_free(s->inventory);
    free(s->is_wanted);
    *s = (struct con_systems){0};
}

/* ---- lines ---- */

/* In the order in which the correlator looks for the system of a source. */
const struct hd_system *con_systems_of(const struct con_systems *s, struct hd_slice agent,
                                       struct hd_slice host, struct hd_slice peer)
{
    struct hd_ip ip;
    if (s->inventory == NULL) {
        return NULL;
    }
    const struct hd_system *found = hd_inventory_by_host(s->inventory, host);
    found = found != NULL ? found : hd_inventory_by_host(s->inventory, agent);
    if (found == NULL && hd_ip_parse(peer, &ip) == HD_OK) {
        found = hd_inventory_by_ip(s->inventory, &ip);
    }
    return found;
}

json_t *con_systems_json(const struct hd_system *system)
{
    return json_pack("{s:s,s:s,s:s,s:i}", "id", system->id, "name", system->name,
                     "agency", system->agency, "level", (int)system->level);
}

bool con_systems_want(const struct con_systems *s, const struct hd_system *system)
{
    return !s->is_chosen ||
           (system != NULL && s->is_wanted[system - hd_inventory_at(s->inventory, 0)]);
}

bool con_systems_match(const struct con_systems *s, struct hd_slice agent,
                       const struct hd_batch_source *source)
{
    return !s->is_chosen ||
           con_systems_want(s, con_systems_of(s, agent, source->host, source->peer));
}
