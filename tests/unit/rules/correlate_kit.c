/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rules/correlate_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_on_detection(void *ctx, const struct rul_detection *d,
                        const struct rul_event_copy *last)
{
    struct bench *b = ctx;
    assert_non_null(last);
    b->fired++;
    b->count = d->count;
    b->suppressed = d->suppressed;
    b->first_ns = d->first_ns;
    b->last_ns = d->last_ns;
    b->is_ambiguous = d->is_ambiguous;
    (void)snprintf(b->rule, sizeof(b->rule), "%s", d->rule->title);
    (void)snprintf(b->position, sizeof(b->position), "%.*s",
                   HD_SLICE_FMT(d->first_position));
    b->group[0] = 0;
    for (size_t i = 0; i < d->n_group; i++) {
        size_t len = strlen(b->group);
        (void)snprintf(b->group + len, sizeof(b->group) - len, "%s%s%.*s;",
                       d->group[i].field, d->group[i].value.ptr == NULL ? " absent" : "=",
                       HD_SLICE_FMT(d->group[i].value));
    }
}

void open_with(struct bench *b, const char *correlation,
               const struct rul_correlator_opts *opts)
{
    char yaml[8192];
    memset(b, 0, sizeof(*b));
    (void)snprintf(yaml, sizeof(yaml), BASE "title: corr\nid: corr\ncorrelation: {%s}\n",
                   correlation);
    kit_load(&b->kit, yaml);
    if (b->kit.errors != 0 || b->kit.err != 0) {
        fail_msg("%s: %s", correlation, b->kit.first.text);
    }
    assert_int_equal(rul_correlator_new(opts, &b->c), 0);
    assert_int_equal(rul_correlator_use(b->c, b->kit.set), 0);
}

void open_bench(struct bench *b, const char *correlation)
{
    const struct rul_correlator_opts opts = {0};
    open_with(b, correlation, &opts);
}

void close_bench(struct bench *b)
{
    rul_correlator_free(b->c);
    kit_free(&b->kit);
}

struct rul_correlator_stats bench_stats(const struct bench *b)
{
    struct rul_correlator_stats s;
    rul_correlator_stats(b->c, &s);
    return s;
}

bool hit_rule(struct bench *b, const char *rule, int64_t time_ns, const char *position,
              const char *user, const char *ip)
{
    struct rul_event_copy *copy = NULL;
    unsigned before = b->fired;
    kit_event(&b->kit, "p", "", "");
    b->kit.ev->time_ns = time_ns;
    if (user != NULL) {
        rul_event_set(b->kit.ev, RUL_F_USER_NAME, hd_slice_str(user));
    }
    if (ip != NULL) {
        rul_event_set(b->kit.ev, RUL_F_SOURCE_IP, hd_slice_str(ip));
    }
    assert_int_equal(rul_event_copy(b->kit.ev, &copy), 0);
    const struct rul_rule *r = rul_set_find(b->kit.set, hd_slice_str(rule));
    assert_int_equal(
        rul_correlate(b->c, r, copy, hd_slice_str(position), bench_on_detection, b), 0);
    free(copy);
    return b->fired != before;
}

bool hit_number(struct bench *b, const char *rule, int64_t time_ns, const char *user,
                const char *number)
{
    struct rul_event_copy *copy = NULL;
    char position[64];
    unsigned before = b->fired;
    (void)snprintf(position, sizeof(position), "web1/b00t/%llu",
                   (unsigned long long)++b->seq);
    kit_event(&b->kit, "p", "", "");
    b->kit.ev->time_ns = time_ns;
    rul_event_set(b->kit.ev, RUL_F_USER_NAME, hd_slice_str(user));
    if (number != NULL) {
        rul_event_set(b->kit.ev, RUL_F_SOURCE_PORT, hd_slice_str(number));
    }
    assert_int_equal(rul_event_copy(b->kit.ev, &copy), 0);
    const struct rul_rule *r = rul_set_find(b->kit.set, hd_slice_str(rule));
    assert_int_equal(
        rul_correlate(b->c, r, copy, hd_slice_str(position), bench_on_detection, b), 0);
    free(copy);
    return b->fired != before;
}

bool hit_as(struct bench *b, int64_t time_ns, const char *user, const char *ip)
{
    char position[64];
    (void)snprintf(position, sizeof(position), "web1/b00t/%llu",
                   (unsigned long long)++b->seq);
    return hit_rule(b, "base", time_ns, position, user, ip);
}

bool hit(struct bench *b, int64_t time_ns)
{
    return hit_as(b, time_ns, "root", "192.0.2.1");
}

bool close_at(struct bench *b, int64_t time_ns)
{
    unsigned before = b->fired;
    rul_correlator_advance(b->c, time_ns);
    rul_correlator_close(b->c, bench_on_detection, b);
    return b->fired != before;
}

void expect_refused(const char *correlation, const char *place, const char *what)
{
    struct kit kit;
    char yaml[8192];
    (void)snprintf(yaml, sizeof(yaml), BASE "title: corr\nid: corr\ncorrelation: {%s}\n",
                   correlation);
    kit_load(&kit, yaml);
    assert_int_equal(kit.err, 0); /* the others stay in force */
    assert_int_equal(rul_set_count(kit.set), 3);
    if (kit.errors == 0 || strstr(kit.first.text, place) == NULL ||
        strstr(kit.first.text, what) == NULL) {
        fail_msg("%s\ngives '%s', not %s %s", correlation, kit.first.text, place, what);
    }
    kit_free(&kit);
}
