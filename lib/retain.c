/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/retain.h>

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/archive_meta.h>
#include <haidang/conf.h>
#include <haidang/inventory.h>

#define DAY         (86400 * INT64_C(1000000000))
#define LONG_TIME   (36500 * DAY)
#define LEVELS      6 /* 0 = of no level, or of no registered system */
#define RULES_MAX   1000
#define AT(field)   .offset = offsetof(struct retain_conf, field)
#define AT_R(field) .offset = offsetof(struct retain_rule, field)

struct retain_rule {
    char *agent, *host, *source, *system; /* NULL: any */
    int64_t level;                        /* 0: any */
    int64_t keep;                         /* 0: for ever */
};

struct retain_conf {
    int profile;
    char *inventory;
    int64_t otherwise;
    struct retain_rule *rules;
    size_t n_rules;
};

struct hd_retain {
    struct retain_conf conf;
    struct hd_inventory *inventory;     /* NULL: none */
    const struct hd_journal_keys *keys; /* borrowed; NULL: none */
    int64_t longest;
};

/* ---- profiles ---- */

static const char *const profile_names[] = {"none", "tcvn-14423-2026", "qcvn-12-2026",
                                            NULL};

/* What the document asks for at least, by level; 0 = nothing. */
static const int64_t profiles[][LEVELS] = {
    {0},
    {0, 0, 31 * DAY, 92 * DAY, 184 * DAY, 366 * DAY},
    {366 * DAY, 366 * DAY, 366 * DAY, 366 * DAY, 366 * DAY, 366 * DAY},
};

/* ---- the file ---- */

static const struct hd_conf_item rule_items[] = {
    {.key = "agent",
     .type = HD_CONF_STRING,
     AT_R(agent),
     .min = 1,
     .max = 255,
     .help = "Name of the agent, with * and ?."},
    {.key = "host",
     .type = HD_CONF_STRING,
     AT_R(host),
     .min = 1,
     .max = 255,
     .help = "Name of the server that the lines come from, with * and ?."},
    {.key = "source",
     .type = HD_CONF_STRING,
     AT_R(source),
     .min = 1,
     .max = 255,
     .help = "Path, listener or interface, with * and ?."},
    {.key = "system",
     .type = HD_CONF_STRING,
     AT_R(system),
     .min = 1,
     .max = 255,
     .help = "Id of an information system of the inventory."},
    {.key = "level",
     .type = HD_CONF_INT,
     AT_R(level),
     .min = 1,
     .max = 5,
     .help = "Level of the information system."},
    {.key = "keep",
     .type = HD_CONF_DURATION,
     AT_R(keep),
     .min = 0,
     .max = LONG_TIME,
     .required = true,
     .help = "So long; 0s = for ever."},
    {0}};

static const struct hd_conf_item items[] = {
    {.key = "profile",
     .type = HD_CONF_ENUM,
     AT(profile),
     .names = profile_names,
     .def = "none",
     .help = "What is kept at least, by the level of the information system."},
    {.key = "inventory",
     .type = HD_CONF_PATH,
     AT(inventory),
     .help = "Information systems, for `system`, `level` and `profile`."},
    {.key = "otherwise",
     .type = HD_CONF_DURATION,
     AT(otherwise),
     .min = 0,
     .max = LONG_TIME,
     .def = "366d",
     .help = "What nothing else is said of; 0s = for ever."},
    {.key = "rules",
     .type = HD_CONF_LIST,
     AT(rules),
     .count_offset = offsetof(struct retain_conf, n_rules),
     .item_size = sizeof(struct retain_rule),
     .max = RULES_MAX,
     .sub = rule_items,
     .help = "The first that fits decides."},
    {0}};

static bool needs_inventory(const struct retain_rule *rule)
{
    return rule->system != NULL || rule->level != 0;
}

static void check(const void *given, const char *path, struct hd_diags *diags)
{
    const struct retain_conf *conf = given;
    bool is_needed = conf->profile != 0;
    for (size_t i = 0; i < conf->n_rules; i++) {
        const struct retain_rule *rule = &conf->rules[i];
        is_needed = is_needed || needs_inventory(rule);
        if (rule->agent == NULL && rule->host == NULL && rule->source == NULL &&
            !needs_inventory(rule)) {
            hd_diag_error(diags, path, 0, 0,
                          "rules: rule %zu fits everything; that is `otherwise`", i + 1);
        }
    }
    if (is_needed && conf->inventory == NULL) {
        hd_diag_error(diags, path, 0, 0,
                      "`inventory` is missing: it says which systems there are, and of "
                      "what level");
    }
}

static const struct hd_conf_schema schema = {
    .items = items, .size = sizeof(struct retain_conf), .check = check};

static int64_t forever(int64_t keep)
{
    return keep == 0 ? HD_RETAIN_FOREVER : keep;
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* `system` names what the inventory has: a slip would keep too little. */
static int check_systems(const struct hd_retain *r, const char *path,
                         struct hd_diags *diags)
{
    int err = HD_OK;
    for (size_t i = 0; i < r->conf.n_rules; i++) {
        const char *id = r->conf.rules[i].system;
        if (id != NULL && hd_inventory_by_id(r->inventory, hd_slice_str(id)) == NULL) {
            hd_diag_error(diags, path, 0, 0,
                          "rules: rule %zu: the inventory has no system \"%s\"", i + 1,
                          id);
            err = HD_EPARSE;
        }
    }
    return err;
}

int hd_retain_load(const char *path, struct hd_retain **out, struct hd_diags *diags)
{
    struct hd_retain *r = calloc(1, sizeof(*r));
    int err = r == NULL ? HD_ENOMEM : hd_conf_load(path, &schema, &r->conf, diags);
    if (err != HD_OK) {
        free(r);
        return err;
    }
    if (r->conf.inventory != NULL) {
        err = hd_inventory_load(r->conf.inventory, &r->inventory, diags);
    }
    err = err != HD_OK ? err : check_systems(r, path, diags);
    if (err != HD_OK) {
        hd_retain_free(r);
        return err;
    }
    r->longest = forever(r->conf.otherwise);
    for (size_t i = 0; i < r->conf.n_rules; i++) {
        r->longest = longer(r->longest, forever(r->conf.rules[i].keep));
    }
    for (size_t i = 0; i < LEVELS; i++) {
        r->longest = longer(r->longest, profiles[r->conf.profile][i]);
    }
    *out = r;
    return HD_OK;
}

void hd_retain_free(struct hd_retain *r)
{
    if (r != NULL) {
        hd_inventory_free(r->inventory);
        hd_conf_free(&schema, &r->conf);
        free(r);
    }
}

/* ---- one source ---- */

struct origin {
    struct hd_slice agent;
    const struct hd_batch_source *source;
    const struct hd_system *system; /* NULL: none is registered */
};

static const struct hd_system *system_of(const struct hd_retain *r, struct hd_slice agent,
                                         const struct hd_batch_source *source)
{
    struct hd_ip ip;
    if (r->inventory == NULL) {
        return NULL;
    }
    const struct hd_system *found = hd_inventory_by_host(r->inventory, source->host);
    found = found != NULL ? found : hd_inventory_by_host(r->inventory, agent);
    if (found == NULL && hd_ip_parse(source->peer, &ip) == HD_OK) {
        found = hd_inventory_by_ip(r->inventory, &ip);
    }
    return found;
}

static bool fits(const char *pattern, struct hd_slice text)
{
    char name[HD_BATCH_NAME_MAX + 1];
    if (pattern == NULL) {
        return true;
    }
    (void)snprintf(name, sizeof(name), "%.*s", HD_SLICE_FMT(text));
    return fnmatch(pattern, name, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

static bool rule_fits(const struct retain_rule *rule, const struct origin *o)
{
    bool is_system = rule->system == NULL ||
                     (o->system != NULL && strcmp(o->system->id, rule->system) == 0);
    bool is_level =
        rule->level == 0 || (o->system != NULL && o->system->level == rule->level);
    return is_system && is_level && fits(rule->agent, o->agent) &&
           fits(rule->host, o->source->host) && fits(rule->source, o->source->name);
}

static size_t rule_of(const struct hd_retain *r, const struct origin *o)
{
    size_t i = 0;
    while (i < r->conf.n_rules && !rule_fits(&r->conf.rules[i], o)) {
        i++;
    }
    return i;
}

/* How long; `why` when it is longer than `least`. */
static int64_t keep_of(const struct hd_retain *r, const struct origin *o, int64_t least,
                       char why[HD_RETAIN_WHY_MAX])
{
    size_t rule = rule_of(r, o);
    unsigned level = o->system == NULL ? 0 : o->system->level;
    int64_t asked = profiles[r->conf.profile][level];
    bool has_rule = rule < r->conf.n_rules;
    int64_t keep = has_rule    ? forever(r->conf.rules[rule].keep)
                   : asked > 0 ? asked
                               : forever(r->conf.otherwise);
    bool is_profile = asked > 0 && asked >= keep;
    keep = longer(keep, asked);
    if (keep <= least) {
        return least;
    }
    char by[64];
    if (is_profile) {
        (void)snprintf(by, sizeof(by), "%s, level %u", profile_names[r->conf.profile],
                       level);
    } else if (has_rule) {
        (void)snprintf(by, sizeof(by), "rule %zu", rule + 1);
    } else {
        (void)snprintf(by, sizeof(by), "otherwise");
    }
    (void)snprintf(why, HD_RETAIN_WHY_MAX, "%s (%.*s %.*s)", by,
                   HD_SLICE_FMT(hd_slice_head(o->source->host, 32)),
                   HD_SLICE_FMT(hd_slice_head(o->source->name, 48)));
    return keep;
}

/* ---- entries ---- */

static int64_t keep_batch(const struct hd_retain *r, struct hd_batch_reader *batch,
                          const struct hd_journal_entry *entry,
                          char why[HD_RETAIN_WHY_MAX])
{
    struct hd_batch_info info;
    const struct hd_batch_source *sources;
    int64_t keep = -1;
    if (hd_batch_reader_open(batch, entry->payload, &info) != HD_OK) {
        (void)snprintf(why, HD_RETAIN_WHY_MAX, "it cannot be read");
        return r->longest;
    }
    uint16_t n = hd_batch_reader_sources(batch, &sources);
    for (uint16_t i = 0; i < n; i++) {
        struct origin o = {.agent = info.agent, .source = &sources[i]};
        o.system = system_of(r, info.agent, o.source);
        keep = keep_of(r, &o, keep, why);
    }
    return keep < 0 ? r->longest : keep;
}

/* When the correlator took it. */
static int64_t taken_ns(const struct hd_journal_entry *entry)
{
    struct hd_archive_meta meta;
    bool has_meta = hd_archive_meta_decode(entry->meta, &meta) == HD_PARSE_OK;
    return has_meta ? meta.taken_ns : entry->time_max;
}

static int64_t until(int64_t since_ns, int64_t keep_ns)
{
    bool is_forever = keep_ns == HD_RETAIN_FOREVER || since_ns > INT64_MAX - keep_ns;
    return is_forever ? HD_RETAIN_FOREVER : since_ns + keep_ns;
}

void hd_retain_entry(const struct hd_retain *r, struct hd_batch_reader *batch,
                     const struct hd_journal_entry *entry, struct hd_retain_verdict *out)
{
    int64_t keep_ns = keep_batch(r, batch, entry, out->why);
    out->until_ns = until(taken_ns(entry), keep_ns);
}

/* ---- from the oldest on ---- */

struct walk {
    const struct hd_retain *retain;
    struct hd_journal_reader *reader;
    struct hd_batch_reader *batch;
    int64_t now_ns;
    uint64_t expired; /* all below this index */
    bool is_damage;   /* what came last does not verify */
};

/* False: it stays. What was damaged before it is no younger and may have been anybody's.
 */
static bool is_past(const struct walk *w, const struct hd_journal_entry *entry)
{
    struct hd_retain_verdict verdict;
    hd_retain_entry(w->retain, w->batch, entry, &verdict);
    return verdict.until_ns <= w->now_ns &&
           (!w->is_damage || until(taken_ns(entry), w->retain->longest) <= w->now_ns);
}

/* HD_EAGAIN: no more. */
static int walk_on(struct walk *w)
{
    struct hd_journal_entry entry;
    struct hd_journal_cursor at;
    int err = hd_journal_reader_next(w->reader, &entry);
    if (err == HD_ECORRUPT) {
        w->is_damage = true;
        return HD_OK;
    }
    if (err == HD_OK && !is_past(w, &entry)) {
        return HD_EAGAIN;
    }
    if (err == HD_OK) {
        w->is_damage = false;
    } else if (err != HD_ENOENT) {
        return err;
    }
    hd_journal_reader_tell(w->reader, &at);
    w->expired = w->is_damage ? w->expired : at.index;
    return HD_OK;
}

void hd_retain_use_keys(struct hd_retain *r, const struct hd_journal_keys *keys)
{
    r->keys = keys;
}

int hd_retain_expired(const struct hd_retain *r, const char *dir, int64_t now_ns,
                      const atomic_bool *stop, uint64_t *index)
{
    struct walk w = {.retain = r, .now_ns = now_ns};
    int err = hd_batch_reader_new(&w.batch);
    err = err == HD_OK ? hd_journal_reader_open(dir, NULL, &w.reader) : err;
    if (err == HD_OK) {
        hd_journal_reader_use_keys(w.reader, r->keys);
    }
    while (err == HD_OK && (stop == NULL || !atomic_load(stop))) {
        err = walk_on(&w);
    }
    hd_journal_reader_close(w.reader);
    hd_batch_reader_free(w.batch);
    *index = w.expired;
    return err == HD_EAGAIN ? HD_OK : err;
}
