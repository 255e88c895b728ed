/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <haidang/archive_meta.h>
#include <haidang/journal.h>

#include "correlator/intake/addresses.h"
#include "correlator/intake/admit.h"
#include "correlator/intake/agents.h"
#include "tests/support/alloc.h"

static const char *boot(unsigned n)
{
    static char text[4][33];
    static unsigned turn;
    char *out = text[turn++ % 4];
    (void)snprintf(out, 33, "%032x", n);
    return out;
}

static struct cor_agent *get(struct cor_agents *t, const char *name, unsigned n)
{
    struct cor_agent *row = NULL;
    assert_int_equal(cor_agents_get(t, hd_slice_str(name), hd_slice_str(boot(n)), &row),
                     HD_OK);
    return row;
}

static struct cor_agent *find(struct cor_agents *t, const char *name, unsigned n)
{
    return cor_agents_find(t, hd_slice_str(name), hd_slice_str(boot(n)));
}

static void rows_are_by_name_and_boot(void **state)
{
    (void)state;
    struct cor_agents t;
    assert_int_equal(cor_agents_init(&t, 10), HD_OK);
    struct cor_agent *a = get(&t, "web1", 1);
    assert_ptr_equal(get(&t, "web1", 1), a);
    assert_ptr_not_equal(get(&t, "web1", 2), a);
    assert_ptr_not_equal(get(&t, "web2", 1), a);
    assert_int_equal(t.n, 3);
    assert_null(find(&t, "web3", 1));
    cor_agents_fini(&t);
}

static void the_row_unseen_for_longest_goes(void **state)
{
    (void)state;
    struct cor_agents t;
    assert_int_equal(cor_agents_init(&t, 3), HD_OK);
    struct cor_session *connected = (struct cor_session *)&t;
    get(&t, "a", 1)->session = connected;
    get(&t, "b", 1)->ledger.in_flight = 1;
    (void)get(&t, "c", 1);
    (void)get(&t, "d", 1);
    assert_non_null(find(&t, "a", 1));
    assert_non_null(find(&t, "b", 1));
    assert_null(find(&t, "c", 1));
    find(&t, "d", 1)->session = connected;
    struct cor_agent *row;
    assert_int_equal(cor_agents_get(&t, HD_SLICE("e"), hd_slice_str(boot(1)), &row),
                     HD_EFULL);
    find(&t, "b", 1)->ledger.in_flight = 0;
    assert_int_equal(cor_agents_get(&t, HD_SLICE("e"), hd_slice_str(boot(1)), &row),
                     HD_OK);
    assert_null(find(&t, "b", 1));
    cor_agents_fini(&t);
}

static void names_are_checked(void **state)
{
    (void)state;
    assert_true(cor_agent_name_is_valid(HD_SLICE("Web-1.example_vn")));
    assert_false(cor_agent_name_is_valid(HD_SLICE("")));
    assert_false(cor_agent_name_is_valid(HD_SLICE("a/b")));
    assert_false(cor_agent_name_is_valid(HD_SLICE("a b")));
    assert_false(cor_agent_name_is_valid(hd_slice("a\0b", 3)));
    char name[257];
    memset(name, 'a', sizeof(name));
    assert_true(cor_agent_name_is_valid(hd_slice(name, 255)));
    assert_false(cor_agent_name_is_valid(hd_slice(name, 256)));
    assert_true(cor_agent_boot_is_valid(HD_SLICE("0123456789abcdef0123456789abcdef")));
    assert_false(cor_agent_boot_is_valid(HD_SLICE("0123456789ABCDEF0123456789abcdef")));
    assert_false(cor_agent_boot_is_valid(HD_SLICE("0123456789abcdef")));
}

static void a_snapshot_comes_back(void **state)
{
    (void)state;
    struct cor_agents t, u;
    const char *why = "";
    struct hd_buf text;
    hd_buf_init(&text, 0);
    assert_int_equal(cor_agents_init(&t, 10), HD_OK);
    assert_int_equal(cor_agents_init(&u, 10), HD_OK);
    for (unsigned i = 0; i < 5; i++) {
        struct cor_agent *row = get(&t, "web1", i);
        row->ledger.durable = 100 + i;
        row->lines = 7 * i;
        row->seen_ns = 1790000000000000000 + i;
        (void)snprintf(row->peer, sizeof(row->peer), "192.0.2.%u:5000", i);
        assert_int_equal(cor_ledger_replay(&row->ledger, 200, 210), HD_OK);
    }
    t.next_entry = 77;
    assert_int_equal(cor_agents_snapshot(&t, &text), HD_OK);
    assert_int_equal(cor_agents_restore(&u, hd_buf_slice(&text), &why), HD_OK);
    assert_int_equal(u.n, 5);
    assert_int_equal(u.next_entry, 77);
    for (unsigned i = 0; i < 5; i++) {
        struct cor_agent *row = find(&u, "web1", i);
        assert_non_null(row);
        assert_int_equal(row->ledger.durable, 100 + i);
        assert_int_equal(row->lines, 7 * i);
        assert_int_equal(cor_ledger_check(&row->ledger, 201, 205), COR_LEDGER_HELD);
        assert_int_equal(cor_ledger_check(&row->ledger, 150, 160), COR_LEDGER_NEW);
    }
    assert_string_equal(u.rows[u.newest]->boot, boot(4));
    /* every cut of it is refused, and leaves an empty table */
    for (size_t len = 0; len + 1 < text.len; len++) {
        assert_int_not_equal(cor_agents_restore(&u, hd_slice(text.ptr, len), &why),
                             HD_OK);
        assert_int_equal(u.n, 0);
        assert_int_equal(u.next_entry, 1);
    }
    hd_buf_fini(&text);
    cor_agents_fini(&t);
    cor_agents_fini(&u);
}

static void malformed_snapshots_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"v\":2,\"next_entry\":1,\"agents\":[]}",
        "{\"v\":1,\"agents\":[]}",
        "{\"v\":1,\"next_entry\":5,\"agents\":[{}]}",
        "{\"v\":1,\"next_entry\":5,\"agents\":[{\"agent\":\"a\",\"boot\":\"zz\"}]}",
        ("{\"v\":1,\"next_entry\":5,\"agents\":[{\"agent\":\"a\",\"boot\":"
         "\"0123456789abcdef0123456789abcdef\",\"held\":[[5,4]]}]}")};
    struct cor_agents t;
    const char *why = "";
    assert_int_equal(cor_agents_init(&t, 10), HD_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(cor_agents_restore(&t, hd_slice_str(bad[i]), &why), HD_OK);
        assert_int_equal(t.n, 0);
    }
    cor_agents_fini(&t);
}

/* ---- the archive's headers ---- */

static void append(struct hd_journal *j, const char *name, unsigned n, uint64_t first,
                   uint64_t last)
{
    struct hd_buf meta;
    char frame[64];
    size_t len = ZSTD_compress(frame, sizeof(frame), "x\n", 2, 1);
    assert_false(ZSTD_isError(len));
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta,
                           &(struct hd_archive_meta){.agent = hd_slice_str(name),
                                                     .boot = hd_slice_str(boot(n)),
                                                     .peer = HD_SLICE("192.0.2.1:1"),
                                                     .taken_ns = 5});
    struct hd_journal_entry entry = {.first = first,
                                     .last = last,
                                     .count = (uint32_t)(last - first + 1),
                                     .raw_len = 2,
                                     .meta = hd_buf_slice(&meta),
                                     .payload = hd_slice(frame, len)};
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    hd_buf_fini(&meta);
}

static void the_archive_tells_what_is_durable(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_journal *j;
    struct hd_journal_recovery found;
    struct hd_journal_opts opts = {.dir = dir};
    assert_int_equal(hd_journal_open(&opts, &j, &found), HD_OK);
    append(j, "web1", 1, 1, 10);
    append(j, "web2", 1, 1, 5);
    append(j, "web1", 1, 21, 30); /* its predecessor failed */
    append(j, "web1", 1, 11, 20); /* and came again */
    append(j, "web1", 2, 1, 1);
    assert_int_equal(hd_journal_commit(j), HD_OK);

    struct cor_agents t;
    uint64_t entries = 0;
    assert_int_equal(cor_agents_init(&t, 10), HD_OK);
    assert_int_equal(cor_agents_replay(&t, dir, &entries), HD_OK);
    assert_int_equal(entries, 5);
    assert_int_equal(t.next_entry, 6);
    assert_int_equal(find(&t, "web1", 1)->ledger.durable, 30);
    assert_int_equal(find(&t, "web2", 1)->ledger.durable, 5);
    assert_int_equal(find(&t, "web1", 2)->ledger.durable, 1);
    assert_int_equal(find(&t, "web1", 1)->lines, 30);

    append(j, "web2", 1, 6, 8);
    assert_int_equal(hd_journal_commit(j), HD_OK);
    assert_int_equal(cor_agents_replay(&t, dir, &entries), HD_OK);
    assert_int_equal(entries, 1);
    assert_int_equal(find(&t, "web2", 1)->ledger.durable, 8);
    cor_agents_fini(&t);
    hd_journal_close(j);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct cor_agents t;
        struct cor_agent *row;
        int err = cor_agents_init(&t, 4);
        if (err == HD_OK) {
            for (unsigned i = 0; i < 6 && err == HD_OK; i++) {
                err = cor_agents_get(&t, HD_SLICE("a"), hd_slice_str(boot(i)), &row);
            }
            cor_agents_fini(&t);
        }
        hd_test_alloc_stop();
        assert_true(err == HD_OK || err == HD_ENOMEM);
    }
}

/* ---- admission ---- */

static void handshakes_are_bounded_in_number_and_rate(void **state)
{
    (void)state;
    struct cor_admit a;
    cor_admit_init(&a, 3, 10, 1000);
    assert_true(cor_admit_take(&a, 1000));
    assert_true(cor_admit_take(&a, 1000));
    assert_true(cor_admit_take(&a, 1000));
    assert_false(cor_admit_take(&a, 1000));
    assert_int_equal(cor_admit_wait_ms(&a), 0); /* until one is done */
    for (unsigned i = 0; i < 7; i++) {
        cor_admit_done(&a);
        assert_true(cor_admit_take(&a, 1000));
    }
    cor_admit_done(&a);
    assert_false(cor_admit_take(&a, 1000));
    uint64_t wait = cor_admit_wait_ms(&a);
    assert_in_range(wait, 100, 101);
    assert_true(cor_admit_take(&a, 1000 + wait));
    cor_admit_done(&a);
    assert_false(cor_admit_take(&a, 1000 + wait));
    /* long quiet fills the bucket, and no more than the bucket */
    unsigned n = 0;
    while (cor_admit_take(&a, 1000000)) {
        cor_admit_done(&a);
        n++;
    }
    assert_int_equal(n, 10);
}

static void an_address_has_its_share_of_handshakes(void **state)
{
    (void)state;
    struct cor_addresses a;
    assert_int_equal(cor_addresses_init(&a, 4, 2), HD_OK);
    struct hd_ip v4 = cor_addresses_net("192.0.2.1");
    struct hd_ip other = cor_addresses_net("192.0.2.2");
    struct hd_ip v6 = cor_addresses_net("2001:db8::1");
    struct hd_ip same_net = cor_addresses_net("2001:db8::ffff:1");
    struct hd_ip next_net = cor_addresses_net("2001:db8:0:1::1");
    assert_true(cor_addresses_enter(&a, &v4));
    assert_true(cor_addresses_enter(&a, &v4));
    assert_false(cor_addresses_enter(&a, &v4));
    assert_true(cor_addresses_enter(&a, &other));
    assert_true(cor_addresses_enter(&a, &v6));
    assert_true(cor_addresses_enter(&a, &same_net));
    assert_false(cor_addresses_enter(&a, &v6));
    assert_true(cor_addresses_enter(&a, &next_net));
    cor_addresses_leave(&a, &v4);
    assert_true(cor_addresses_enter(&a, &v4));
    cor_addresses_leave(&a, &other); /* its row serves another address */
    assert_true(cor_addresses_enter(&a, &(struct hd_ip){0}));
    assert_false(cor_addresses_enter(&a, &other));
    cor_addresses_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_by_name_and_boot),
        cmocka_unit_test(the_row_unseen_for_longest_goes),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(a_snapshot_comes_back),
        cmocka_unit_test(malformed_snapshots_are_refused),
        cmocka_unit_test(the_archive_tells_what_is_durable),
        cmocka_unit_test(survives_lack_of_memory),
        cmocka_unit_test(handshakes_are_bounded_in_number_and_rate),
        cmocka_unit_test(an_address_has_its_share_of_handshakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
