/* SPDX-License-Identifier: Apache-2.0
 *
 * Several who make the same key file at once: one makes it, and all use that one. Whoever
 * went on with another would encrypt what nobody can read.
 */
#include "tests/unit/lib/journal_helper.h"

#include <pthread.h>
#include <stdio.h>

#include <haidang/fs.h>
#include <haidang/journal_keys.h>

#define MAKERS 4U
#define ROUNDS 25U

struct maker {
    pthread_barrier_t *start;
    const char *path;
    int err;
    struct hd_journal_key_id id;
};

static void *make_key(void *arg)
{
    struct maker *maker = arg;
    (void)pthread_barrier_wait(maker->start);
    maker->err = hd_journal_key_make(maker->path, &maker->id);
    return NULL;
}

static void make_at_once(const char *path, struct maker makers[MAKERS])
{
    pthread_t threads[MAKERS];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, MAKERS), 0);
    for (unsigned i = 0; i < MAKERS; i++) {
        makers[i] = (struct maker){.start = &start, .path = path};
        assert_int_equal(pthread_create(&threads[i], NULL, make_key, &makers[i]), 0);
    }
    for (unsigned i = 0; i < MAKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static struct hd_journal_key_id load(const char *path)
{
    struct hd_journal_keys *keys;
    const struct hd_journal_key *key = NULL;
    assert_int_equal(hd_journal_keys_new(&keys), HD_OK);
    assert_int_equal(hd_journal_keys_load(keys, path, &key), HD_OK);
    struct hd_journal_key_id id = hd_journal_key_id(key);
    hd_journal_keys_free(keys);
    return id;
}

static void one_of_many_makes_the_key(void **state)
{
    const char *dir = hd_test_tmpdir();
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct maker makers[MAKERS];
        char name[32];
        unsigned made = 0;
        (void)snprintf(name, sizeof(name), "round%u.key", round);
        const char *path = hd_test_path(dir, name);
        make_at_once(path, makers);
        struct hd_journal_key_id there = load(path);
        for (unsigned i = 0; i < MAKERS; i++) {
            if (makers[i].err == HD_OK) {
                made++;
                assert_true(hd_journal_key_id_eq(&makers[i].id, &there));
            } else {
                assert_int_equal(makers[i].err, HD_EEXIST);
            }
        }
        assert_int_equal(made, 1);
    }
}

static int count(void *ctx, const char *name)
{
    unsigned *n = ctx;
    (void)name;
    (*n)++;
    return 0;
}

static void what_is_there_stays(void **state)
{
    const char *dir = hd_test_tmpdir();
    const char *path = hd_test_path(dir, "a.key");
    struct hd_journal_key_id first, second;
    unsigned files = 0;
    (void)state;
    assert_int_equal(hd_journal_key_make(path, &first), HD_OK);
    assert_int_equal(hd_journal_key_make(path, &second), HD_EEXIST);
    struct hd_journal_key_id there = load(path);
    assert_true(hd_journal_key_id_eq(&first, &there));
    assert_int_equal(hd_fs_each(dir, count, &files), HD_OK);
    assert_int_equal(files, 1); /* nothing else is left lying about */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_many_makes_the_key),
        cmocka_unit_test(what_is_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
