/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading: what a rule carries, what is refused and where, life time, memory running out.
 */
#include "tests/unit/rules/kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rules/correlate/correlate.h"
#include "tests/support/alloc.h"

static const char good[] =
    "title: Full Rule\nid: 0f5b1f0e-0000-4000-8000-000000000001\nname: full\n"
    "description: what it finds\nauthor: someone\nlicense: Apache-2.0\nstatus: test\n"
    "level: critical\ntags: [attack.t1110, attack.initial-access]\nx-custom: 1\n"
    "logsource: {product: p, definition: text}\n"
    "detection: {s: {F|contains: needle}, condition: s}\n"
    "haidang: {title_vi: Lu\xe1\xba\xadt, description_vi: m\xc3\xb4 t\xe1\xba\xa3, "
    "delivery: national}\n"
    "---\n"
    "title: Bare\nlogsource: {product: p}\ndetection: {s: [word], condition: s}\n";

static void test_metadata(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, good);
    assert_int_equal(kit.errors, 0);
    const struct rul_rule *r = rul_set_rule(kit.set, 0);
    assert_string_equal(r->id, "0f5b1f0e-0000-4000-8000-000000000001");
    assert_string_equal(r->title, "Full Rule");
    assert_string_equal(r->title_vi, "Lu\xe1\xba\xadt");
    assert_string_equal(r->description_vi, "m\xc3\xb4 t\xe1\xba\xa3");
    assert_string_equal(r->author, "someone");
    assert_string_equal(r->license, "Apache-2.0");
    assert_string_equal(r->level, "critical");
    assert_int_equal(r->severity, HD_SEV_CRITICAL);
    assert_string_equal(r->delivery, "national");
    assert_int_equal(r->n_tags, 2);
    assert_string_equal(r->tags[1], "attack.initial-access");
    assert_int_equal(r->line, 1);
    assert_true(r->alerts && !r->feeds);
    const struct rul_rule *bare = rul_set_rule(kit.set, 1);
    assert_string_equal(bare->id, "Bare");
    assert_string_equal(bare->author, "");
    assert_string_equal(bare->delivery, "province");
    assert_string_equal(bare->level, "medium");
    assert_int_equal(bare->line, 15);
    assert_ptr_equal(rul_set_find(kit.set, HD_SLICE("full")), r);
    assert_null(rul_set_find(kit.set, HD_SLICE("nothing")));
    assert_null(rul_set_rule(kit.set, 2));
    assert_int_equal(strlen(rul_set_hash(kit.set)), 64);
    kit_free(&kit);
}

static uint64_t hash_of(const char *yaml, char set_hash[65])
{
    struct kit kit;
    kit_load(&kit, yaml);
    assert_int_equal(kit.errors, 0);
    uint64_t hash = rul_set_rule(kit.set, 0)->hash;
    (void)snprintf(set_hash, 65, "%s", rul_set_hash(kit.set));
    kit_free(&kit);
    return hash;
}

/* The rule's hash is over its meaning, the set's over every byte. */
static void test_hashes(void **state)
{
    (void)state;
    char a[65], b[65], c[65], again[65];
    uint64_t one = hash_of("title: a\nlogsource: {product: p}\ndetection: {s: {F: x}, "
                           "condition: s}\n",
                           a);
    uint64_t two =
        hash_of("title: b\nlevel: low\nlogsource:\n  product: p\ndetection: {s: "
                "{F: x}, condition: s}\n",
                b);
    uint64_t three = hash_of("title: a\nlogsource: {product: p}\ndetection: {s: {F: y}, "
                             "condition: s}\n",
                             c);
    assert_true(one == two && one != three);
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
    (void)hash_of(
        "title: b\nlevel: low\nlogsource:\n  product: p\ndetection: {s: {F: x}, "
        "condition: s}\n",
        again);
    assert_string_equal(b, again);
}

/* ---- refusals ---- */

#define HEAD "title: t\nlogsource: {product: p}\n"

static const struct {
    const char *yaml, *position, *message;
} refusals[] = {
    {"- a\n", ":1:1:", "must be a map"},
    {"title: t\n", ":1:1:", "either 'detection' or 'correlation'"},
    {"logsource: {product: p}\ndetection: {s: {F: x}, condition: s}\n",
     ":1:1:", "'title' is missing"},
    {"title: t\ndetection: {s: {F: x}, condition: s}\n", ":1:1:", "'logsource'"},
    {"title: t\nlogsource: {}\ndetection: {s: {F: x}, condition: s}\n",
     ":2:12:", "product, category or service"},
    {"title: t\nlogsource: {product: p, vendor: x}\ndetection: {s: {F: x}, condition: "
     "s}\n",
     ":2:25:", "unknown key of 'logsource'"},
    {HEAD "level: fatal\ndetection: {s: {F: x}, condition: s}\n", ":3:8:", "'level'"},
    {HEAD "status: done\ndetection: {s: {F: x}, condition: s}\n", ":3:9:", "'status'"},
    {HEAD "tags: x\ndetection: {s: {F: x}, condition: s}\n", ":3:7:", "'tags'"},
    {HEAD "haidang: {titel_vi: x}\ndetection: {s: {F: x}, condition: s}\n",
     ":3:11:", "unknown key 'haidang.titel_vi'"},
    {HEAD "haidang: {delivery: abroad}\ndetection: {s: {F: x}, condition: s}\n",
     ":3:21:", "national or province"},
    {HEAD "haidang: {examples: [x]}\ndetection: {s: {F: x}, condition: s}\n",
     ":3:21:", "map of match and no_match"},
    {HEAD "haidang: {examples: {match: [{lines: [a], time: 3}]}}\ndetection: {s: {F: x}, "
          "condition: s}\n",
     ":3:43:", "unknown key of an example"},
    {HEAD "detection: {s: {F: x}}\n", ":3:12:", "'condition'"},
    {HEAD "detection: {s: {F: x}, condition: s and}\n", ":3:40:", "ends where a name"},
    {HEAD "detection: {s: {F: x}, condition: s and t}\n",
     ":3:41:", "no search is named 't'"},
    {HEAD "detection: {s: {F: x}, condition: 's and t'}\n", ":3:42:", "'t'"},
    {HEAD "detection: {s: {F: x}, condition: 1 of t*}\n", ":3:40:", "named like 't*'"},
    {HEAD "detection: {s: {F: x}, condition: 2 of s*}\n", ":3:40:", "fewer searches"},
    {HEAD "detection: {s: {F: x}, condition: s | count() > 5}\n",
     ":3:37:", "correlation rule"},
    {HEAD "detection: {s: {F: x}, timeframe: 5m, condition: s}\n",
     ":3:24:", "'timeframe'"},
    {HEAD "detection: {s: {}, condition: s}\n", ":3:16:", "empty map"},
    {HEAD "detection: {s: [], condition: s}\n", ":3:16:", "empty list"},
    {HEAD "detection: {s: {F: []}, condition: s}\n", ":3:20:", "empty list"},
    {HEAD "detection: {s: {F: {G: x}}, condition: s}\n", ":3:20:", "value or a list"},
    {HEAD "detection: {s: {F: [[x]]}, condition: s}\n", ":3:21:", "single value"},
    {HEAD "detection: {s: ['*'], condition: s}\n", ":3:17:", "keyword must not be empty"},
    {HEAD "detection: {s: {F|contain: x}, condition: s}\n",
     ":3:17:", "did you mean \"contains\""},
    {HEAD "detection: {s: {F|expand: '%x%'}, condition: s}\n",
     ":3:27:", "placeholder %x% has no values: write them into x.txt"},
    {HEAD "detection: {s: {F|contains|contains: x}, condition: s}\n", ":3:17:", "twice"},
    {HEAD "detection: {s: {F|contains|endswith: x}, condition: s}\n",
     ":3:17:", "exclude each other"},
    {HEAD "detection: {s: {F|re|contains: x}, condition: s}\n", ":3:17:", "do not go"},
    {HEAD "detection: {s: {F|i: x}, condition: s}\n", ":3:17:", "behind 're'"},
    {HEAD "detection: {s: {'|endswith': x}, condition: s}\n", ":3:17:", "needs a field"},
    {HEAD "detection: {s: {'': x}, condition: s}\n", ":3:17:", "field name is missing"},
    {HEAD "detection: {s: {F|contains: null}, condition: s}\n",
     ":3:29:", "null goes only"},
    {HEAD "detection: {s: {F|re: 'a(b'}, condition: s}\n", ":3:23:", "at its byte"},
    {HEAD "detection: {s: {F|cidr: 10.0.0.1/8}, condition: s}\n", ":3:25:", "bits set"},
    {HEAD "detection: {s: {F|cidr: tencent}, condition: s}\n", ":3:25:", "not a network"},
    {HEAD "detection: {s: {F|lt: ten}, condition: s}\n", ":3:23:", "a number"},
    {HEAD "detection: {s: {F|hour: 24}, condition: s}\n", ":3:25:", "from 0 to 23"},
    {HEAD "detection: {s: {F|week: 0}, condition: s}\n", ":3:25:", "from 1 to 53"},
    {HEAD "detection: {s: {F|day: Monday}, condition: s}\n", ":3:24:", "a number"},
    {HEAD "detection: {s: {F|hour|day: 1}, condition: s}\n", ":3:17:", "exclude"},
    {HEAD "detection: {s: {F|hour|contains: 1}, condition: s}\n",
     ":3:17:", "a part of a time goes only"},
    {HEAD "detection: {s: {F|fieldref: 'a*'}, condition: s}\n",
     ":3:29:", "without wildcards"},
    {HEAD "detection: {s: {F|exists: maybe}, condition: s}\n", ":3:27:", "true or false"},
    {HEAD "detection: {s: {F|base64: 'a*'}, condition: s}\n",
     ":3:27:", "without wildcards"},
    {HEAD "detection: {s: {F|windash: ' -a -b -c -d -e -f'}, condition: s}\n",
     ":3:28:", "more than 1024 forms"},
    {"title: t\nlogsource: {product: p}\nfilter: {rules: any}\n",
     ":3:9:", "'filter' needs 'rules', searches and a 'condition'"},
    {"title: t\nfilter: {rules: any, s: {F: x}, condition: not s}\n",
     ":1:1:", "'logsource'"},
    {HEAD "filter: {rules: [], s: {F: x}, condition: not s}\n", ":3:17:", "'rules' must"},
    {HEAD "filter: {rules: {a: b}, s: {F: x}, condition: not s}\n",
     ":3:17:", "'rules' must"},
    {HEAD "filter: {rules: [[a]], s: {F: x}, condition: not s}\n",
     ":3:18:", "id or name"},
    {HEAD "filter: {rules: any, s: {F: x}, condition: [not s]}\n",
     ":3:44:", "condition of a filter is text"},
    {HEAD "filter: {rules: any, s: {F: x}, condition: not t}\n",
     ":3:48:", "no search is named 't'"},
    {HEAD "detection: {s: {F: x}, condition: s}\nfilter: {rules: any}\n",
     ":4:1:", "only one of"},
    {HEAD
     "filter: {rules: any, s: {F: x}, condition: not s}\nhaidang: {examples: {match: "
     "[a]}}\n",
     ":3:9:", "a filter has no examples"},
    {"title: t\ncorrelation: {type: session, rules: a, timespan: 1m}\n",
     ":2:21:", "this type of correlation is not known"},
    {"title: t\ncorrelation: {rules: a, timespan: 1m, condition: {gte: 1}}\n",
     ":2:14:", "'type' is missing"},
    {"title: t\ncorrelation: {type: event_count, rules: a, condition: {gte: 1}}\n",
     ":2:14:", "'timespan' is missing"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1M, condition: "
     "{gte: 1}}\n",
     ":2:54:", "'timespan'"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 0s, condition: "
     "{gte: 1}}\n",
     ":2:54:", "'timespan'"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: "
     "{gte: x}}\n",
     ":2:75:", "a number"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: "
     "{lt: 0}}\n",
     ":2:74:", "below 0"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: "
     "{gt: 5, lt: 3}}\n",
     ":2:69:", "no count"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: "
     "{gte: 0}}\n",
     ":2:69:", "above 0"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: "
     "{gte: 1, field: x}}\n",
     ":2:78:", "no field"},
    {"title: t\ncorrelation: {type: value_count, rules: a, timespan: 1m, condition: "
     "{gte: 1}}\n",
     ":2:69:", "'field'"},
    {"title: t\ncorrelation: {type: event_count, rules: nobody, timespan: 1m, condition: "
     "{gte: 1}}\n",
     ":2:41:", "neither id nor name"},
    {"title: t\ncorrelation: {type: event_count, rules: a, timespan: 1m, gruop-by: x, "
     "condition: {gte: 1}}\n",
     ":2:58:", "unknown key of a correlation"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct kit kit;
        kit_load(&kit, refusals[i].yaml);
        assert_int_equal(kit.err, 0); /* keep_going */
        assert_int_equal(rul_set_count(kit.set), 0);
        if (kit.errors == 0 || strstr(kit.first.text, refusals[i].position) == NULL ||
            strstr(kit.first.text, refusals[i].message) == NULL) {
            fail_msg("%s\ngives '%s', not %s %s", refusals[i].yaml, kit.first.text,
                     refusals[i].position, refusals[i].message);
        }
        kit_free(&kit);
    }
}

static void test_bad_beside_good(void **state)
{
    (void)state;
    struct kit kit;
    char yaml[4096];
    (void)snprintf(yaml, sizeof(yaml),
                   "%s---\ntitle: bad\n---\n" HEAD "detection: {s: {F|bad: x, G|worse: "
                   "y}, condition: s or q}\n---\n" HEAD
                   "id: full\ndetection: {s: {F: x}, condition: s}\n",
                   good);
    kit_load(&kit, yaml);
    assert_int_equal(kit.err, 0);
    assert_int_equal(rul_set_count(kit.set), 2);
    assert_true(kit.errors >= 3);
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", "a needle");
    assert_string_equal(kit_match(&kit), "full");
    kit_free(&kit);
}

static void test_duplicates(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, HEAD
             "id: one\nname: same\ndetection: {s: {F: x}, condition: s}\n---\n" HEAD
             "id: two\nname: same\ndetection: {s: {F: x}, condition: "
             "s}\n---\n" HEAD "id: three\nname: three\ndetection: {s: {F: x}, condition: "
             "s}\n");
    assert_int_equal(rul_set_count(kit.set), 2);
    assert_int_equal(kit.errors, 1);
    assert_non_null(strstr(kit.first.text, "'same' is taken by"));
    assert_null(rul_set_find(kit.set, HD_SLICE("two")));
    assert_int_equal(rul_set_find(kit.set, HD_SLICE("three"))->index, 1);
    kit_free(&kit);
}

static void test_whole_or_nothing(void **state)
{
    (void)state;
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/x.yml", hd_test_tmpdir());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fputs(HEAD "detection: {s: {F|bad: x}, condition: s}\n---\n", file);
    (void)fputs(good, file);
    assert_int_equal(fclose(file), 0);
    const char *paths[] = {path, "/nonexistent/rules"};
    struct rul_set *set = NULL;
    struct hd_diags diags = {0};
    struct rul_set_opts opts = {.rules = paths, .n_rules = 2};
    assert_int_equal(rul_set_load(&opts, &set, &diags), HD_EPARSE);
    assert_int_equal(diags.errors, 2);
    opts.keep_going = true;
    assert_int_equal(rul_set_load(&opts, &set, &diags), 0);
    assert_int_equal(rul_set_count(set), 2);
    rul_set_unref(set);
}

static void write_file(const char *dir, const char *name, const char *title)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fprintf(file,
                  "title: %s\nlogsource: {product: p}\ndetection: {s: {F: x}, "
                  "condition: s}\n",
                  title);
    assert_int_equal(fclose(file), 0);
}

/* Directories are read in the order of their names, below each other, *.yml only. */
static void test_directories(void **state)
{
    (void)state;
    struct kit kit;
    char sub[4096];
    const char *dir = hd_test_tmpdir();
    (void)snprintf(sub, sizeof(sub), "%s/m", dir);
    assert_int_equal(mkdir(sub, 0755), 0);
    write_file(dir, "z.yml", "last");
    write_file(sub, "b.yaml", "second");
    write_file(sub, "a.yml", "first");
    write_file(dir, "README.md", "none");
    kit_load_path(&kit, dir, false);
    assert_int_equal(kit.errors, 0);
    assert_int_equal(rul_set_count(kit.set), 3);
    assert_string_equal(rul_set_rule(kit.set, 0)->title, "first");
    assert_string_equal(rul_set_rule(kit.set, 1)->title, "second");
    assert_string_equal(rul_set_rule(kit.set, 2)->title, "last");
    kit_free(&kit);
}

/* ---- threads ---- */

static void count_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    (void)rule;
    (void)ev;
    ++*(unsigned *)ctx;
}

static void *match_many(void *arg)
{
    struct rul_set *set = arg;
    struct rul_scratch *scratch = NULL;
    unsigned hits = 0;
    struct rul_event *ev = calloc(1, sizeof(*ev));
    if (ev != NULL && rul_scratch_new(set, &scratch) == 0) {
        ev->class_id = 1;
        ev->raw = HD_SLICE("a Word or a needle");
        rul_event_set(ev, rul_fields_find(rul_set_fields(set), HD_SLICE("F")), ev->raw);
        for (int i = 0; i < 2000; i++) {
            rul_match(set, scratch, ev, count_hit, &hits);
        }
    }
    rul_scratch_free(scratch);
    free(ev);
    rul_set_unref(set);
    return (void *)(uintptr_t)hits;
}

static void test_threads(void **state)
{
    (void)state;
    struct kit kit;
    pthread_t threads[3];
    kit_load(&kit, good);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, match_many, rul_set_ref(kit.set)), 0);
    }
    kit_free(&kit); /* the threads keep it */
    for (size_t i = 0; i < 3; i++) {
        void *hits = NULL;
        assert_int_equal(pthread_join(threads[i], &hits), 0);
        assert_int_equal((uintptr_t)hits, 4000);
    }
}

/* ---- memory ---- */

static void on_detection(void *ctx, const struct rul_detection *d,
                         const struct rul_event_copy *last)
{
    (void)d;
    (void)last;
    ++*(unsigned *)ctx;
}

/* Loads, matches, correlates; every error must be HD_ENOMEM. */
static int whole_way(const struct rul_set_opts *opts)
{
    struct rul_set *set = NULL;
    struct rul_scratch *scratch = NULL;
    struct rul_correlator *correlator = NULL;
    struct hd_diags diags = {0};
    const struct rul_correlator_opts limits = {0};
    unsigned fired = 0;
    int err = rul_set_load(opts, &set, &diags);
    if (err == 0) {
        err = rul_scratch_new(set, &scratch);
    }
    if (err == 0) {
        err = rul_correlator_new(&limits, &correlator);
    }
    if (err == 0) {
        err = rul_correlator_use(correlator, set);
    }
    struct rul_event_copy ev = {.time_ns = INT64_C(1000000000)};
    for (int i = 0; err == 0 && i < 4; i++) {
        err = rul_correlate(correlator, rul_set_rule(set, 0), &ev, HD_SLICE("a/b/1"),
                            on_detection, &fired);
        ev.time_ns += INT64_C(60000000000);
    }
    rul_correlator_free(correlator);
    rul_scratch_free(scratch);
    rul_set_unref(set);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/x.yml", hd_test_tmpdir());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fputs("title: base\nname: base\nlogsource: {product: p}\ndetection: {s: "
                "{F|contains: ab, G|re: 'x(?<!y)z', H: q, I|gte: 1}, k: [word], "
                "condition: s or k}\n---\ntitle: c\ncorrelation: {type: event_count, "
                "rules: base, timespan: 1m, condition: {eq: 1}}\n---\ntitle: "
                "v\ncorrelation: {type: value_count, rules: base, timespan: 1m, "
                "condition: {field: message, gte: 1}}\n",
                file);
    assert_int_equal(fclose(file), 0);
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.rules = paths, .n_rules = 1};
    if (!hd_test_alloc_can_fail()) {
        assert_int_equal(whole_way(&opts), 0);
        return;
    }
    unsigned failures = 0;
    /* Hyperscan allocates much: beyond the first of ours not every one is tried */
    for (unsigned n = 1;; n += n < 150 ? 1 : 1 + n / 97) {
        hd_test_alloc_fail_at(n);
        int err = whole_way(&opts);
        hd_test_alloc_stop();
        if (!hd_test_alloc_failed()) {
            assert_int_equal(err, 0);
            break;
        }
        failures++;
        if (err != 0 && err != HD_ENOMEM) {
            fail_msg("allocation %u: %s", n, hd_err_name(err));
        }
    }
    print_message("%u failures survived\n", failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata),      cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_bad_beside_good),
        cmocka_unit_test(test_duplicates),    cmocka_unit_test(test_whole_or_nothing),
        cmocka_unit_test(test_directories),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
