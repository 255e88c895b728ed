/* SPDX-License-Identifier: Apache-2.0
 *
 * The file: {"v":1,"rules":[{"id","hash","time"}],"classes":{"udp":time}}, times in
 * RFC 3339. A rule that has another hash by now is not the one that was proven.
 */
#include "correlator/canary/proofs.h"

#include <jansson.h>

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/json.h>
#include <haidang/log.h>

#define VERSION     1
#define FILE_MAX    (64U << 20)
#define FILE_MODE   0640
#define TIME_DIGITS 3

static void set_later(_Atomic int64_t *time, int64_t ns)
{
    if (ns > atomic_load_explicit(time, memory_order_relaxed)) {
        atomic_store_explicit(time, ns, memory_order_relaxed);
    }
}

int64_t cor_proofs_class_ns(const struct cor_proofs *p, enum hd_canary_class class)
{
    return atomic_load_explicit(&p->seen_ns[class], memory_order_relaxed);
}

void cor_proofs_class(struct cor_proofs *p, enum hd_canary_class class, int64_t time_ns)
{
    set_later(&p->seen_ns[class], time_ns);
    p->is_changed = true;
}

void cor_proofs_rule(struct cor_proofs *p, const struct cor_rules *rules,
                     const struct rul_rule *rule, int64_t time_ns)
{
    set_later(&rules->counts[rule->index]->proven_ns, time_ns);
    p->is_changed = true;
}

/* ---- the file ---- */

static void hash_text(uint64_t hash, char out[17])
{
    (void)snprintf(out, 17, "%016llx", (unsigned long long)hash);
}

static void write_rules(struct hd_json *j, const struct cor_rules *rules)
{
    char hash[17];
    hd_json_array(j, "rules");
    for (size_t i = 0; i < rul_set_count(rules->set); i++) {
        const struct rul_rule *rule = rul_set_rule(rules->set, i);
        int64_t ns = cor_rule_proven_ns(rules->counts[i]);
        if (ns != 0) {
            hash_text(rule->hash, hash);
            hd_json_object(j, NULL);
            hd_json_cstr(j, "id", rule->id);
            hd_json_cstr(j, "hash", hash);
            hd_json_time(j, "time", ns, TIME_DIGITS);
            hd_json_end(j, '}');
        }
    }
    hd_json_end(j, ']');
}

void cor_proofs_encode(const struct cor_proofs *p, const struct cor_rules *rules,
                       struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "v", VERSION);
    write_rules(&j, rules);
    hd_json_object(&j, "classes");
    for (unsigned i = 0; i < HD_CANARY_CLASSES; i++) {
        int64_t ns = cor_proofs_class_ns(p, (enum hd_canary_class)i);
        if (ns != 0) {
            hd_json_time(&j, hd_canary_class_name((enum hd_canary_class)i), ns,
                         TIME_DIGITS);
        }
    }
    hd_json_end(&j, '}');
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
}

static int write_file(const struct cor_proofs *p, const struct cor_rules *rules)
{
    struct hd_buf out;
    hd_buf_init(&out, FILE_MAX);
    cor_proofs_encode(p, rules, &out);
    int err = out.err != HD_OK
                  ? out.err
                  : hd_fs_write_atomic(p->path, hd_buf_slice(&out), FILE_MODE);
    hd_buf_fini(&out);
    return err;
}

void cor_proofs_save(struct cor_proofs *p, const struct cor_rules *rules)
{
    if (!p->is_changed || p->path == NULL) {
        return;
    }
    int err = write_file(p, rules);
    p->is_changed = err != HD_OK;
    if (err != HD_OK) {
        HD_LOG(WARN, "canary", "when rules were proven was not saved",
               HD_KV_STR("file", p->path), HD_KV_ERR(err));
    }
}

static void read_rule(const struct cor_rules *rules, const json_t *row)
{
    char hash[17];
    int64_t ns = 0;
    const struct rul_rule *rule =
        rul_set_find(rules->set, hd_slice_str(hd_alert_text(row, "id")));
    if (rule == NULL || hd_alert_time(row, "time", &ns) != HD_OK) {
        return;
    }
    hash_text(rule->hash, hash);
    if (strcmp(hash, hd_alert_text(row, "hash")) == 0) {
        set_later(&rules->counts[rule->index]->proven_ns, ns);
    }
}

static void read_all(struct cor_proofs *p, const json_t *file,
                     const struct cor_rules *rules)
{
    size_t i = 0;
    const json_t *row = NULL;
    const json_t *list = json_object_get(file, "rules");
    json_array_foreach(list, i, row)
    {
        read_rule(rules, row);
    }
    for (unsigned c = 0; c < HD_CANARY_CLASSES; c++) {
        int64_t ns = 0;
        if (hd_alert_time(json_object_get(file, "classes"),
                          hd_canary_class_name((enum hd_canary_class)c), &ns) == HD_OK) {
            set_later(&p->seen_ns[c], ns);
        }
    }
}

int cor_proofs_decode(struct cor_proofs *p, struct hd_slice text,
                      const struct cor_rules *rules)
{
    json_t *file = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    int err = hd_alert_int(file, "v", 0) == VERSION ? HD_OK : HD_ECORRUPT;
    if (err == HD_OK) {
        read_all(p, file, rules);
    }
    json_decref(file);
    return err;
}

void cor_proofs_load(struct cor_proofs *p, const char *path,
                     const struct cor_rules *rules)
{
    struct hd_buf text;
    p->path = path;
    if (path == NULL) {
        return;
    }
    hd_buf_init(&text, FILE_MAX);
    int err = hd_fs_read(path, FILE_MAX, &text);
    err = err != HD_OK ? err : cor_proofs_decode(p, hd_buf_slice(&text), rules);
    if (err != HD_OK && err != HD_ENOENT) {
        HD_LOG(WARN, "canary", "when rules were proven cannot be read; it begins anew",
               HD_KV_STR("file", path), HD_KV_ERR(err));
    }
    hd_buf_fini(&text);
}
