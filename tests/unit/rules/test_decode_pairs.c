/* SPDX-License-Identifier: Apache-2.0
 *
 * key=value text in all dialects, and the memory of records with the same number.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules/decode/join.h"
#include "rules/decode/pairs.h"

static void check_pairs(enum rul_pair_style style, const char *text, const char *want)
{
    struct rul_pairs pairs;
    struct rul_pair pair;
    char got[512] = "";
    size_t len = 0;
    rul_pairs_open(&pairs, style, hd_slice_str(text));
    while (rul_pairs_next(&pairs, &pair)) {
        uint8_t value[256];
        size_t n = rul_pair_unescape(&pair, value);
        assert_true(n <= pair.value.len);
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%.*s:%.*s%s|",
                                HD_SLICE_FMT(pair.key), (int)n, (const char *)value,
                                pair.is_word ? "(word)" : "");
    }
    assert_string_equal(got, want);
}

static void test_blanks(void **state)
{
    (void)state;
    const enum rul_pair_style blanks = RUL_PAIRS_BLANKS;
    check_pairs(blanks, "", "");
    check_pairs(blanks, "a", "");
    check_pairs(blanks, "=x", "");
    check_pairs(blanks, "a=", "a:|");
    check_pairs(blanks, "logname= uid=0 tty=ssh  user=root",
                "logname:|uid:0|tty:ssh|user:root|");
    check_pairs(blanks, "IN=eth0 OUT= DF PROTO=TCP SYN URGP=0",
                "IN:eth0|OUT:|PROTO:TCP|URGP:0|");
    check_pairs(blanks, "a=\"b c\" d=\"e", "a:b c|d:\"e|");
    check_pairs(blanks, "a==b", "a:=b|");
    check_pairs(blanks,
                "a=b\x1D"
                "c=d",
                "a:b|c:d|");
    check_pairs(RUL_PAIRS_COMMAS, "name=svc 1, UID=1001, from=none",
                "name:svc 1|UID:1001|from:none|");
}

static void test_cef(void **state)
{
    (void)state;
    const enum rul_pair_style cef = RUL_PAIRS_CEF;
    check_pairs(cef, "", "");
    check_pairs(cef, "src=1.2.3.4 msg=a b  c act=x", "src:1.2.3.4|msg:a b  c|act:x|");
    check_pairs(cef, "msg=a \\= b \\\\ \\n. x=y", "msg:a = b \\ \n.|x:y|");
    check_pairs(cef, "msg= x=", "msg:|x:|");
    check_pairs(cef, "request=http://a/?b\\=c d=e=f", "request:http://a/?b=c|d:e=f|");
    check_pairs(cef, "a=b\\", "a:b\\|");
}

static void test_leef(void **state)
{
    (void)state;
    const enum rul_pair_style leef = RUL_PAIRS_LEEF;
    check_pairs(leef, "", "");
    check_pairs(
        leef, "src=1.2.3.4\tusrName=an b\t\tx\tact==", "src:1.2.3.4|usrName:an b|act:=|");
    check_pairs(leef, "^|a=b^c=d e", "a:b|c:d e|");
    check_pairs(leef, "x5E|a=b^c=d", "a:b|c:d|");
    check_pairs(leef, "0x7c|a=b|c=d", "a:b|c:d|");
    check_pairs(leef, "|a=b\tc=d", "a:b|c:d|");
}

static void test_audit(void **state)
{
    (void)state;
    const enum rul_pair_style audit = RUL_PAIRS_AUDIT;
    check_pairs(audit, "arch=c000003e a0=7f01 exe=\"/bin/x\" key=(null)",
                "arch:c000003e|a0:7f01|exe:/bin/x|key:(null)|");
    check_pairs(audit, "argc=3 a0=\"sh\" a1=2F746D702F61 a2=\"CAFE\" a1_len=12",
                "argc:3|a0:sh(word)|a1:/tmp/a(word)|a2:CAFE(word)|a1_len:12|");
    check_pairs(audit, "proctitle=6C73002D6C", "proctitle:ls -l|");
    check_pairs(audit, "name=6g comm=abc", "name:6g|comm:abc|");
    check_pairs(audit, "pid=1 msg='op=login acct=\"an\" res=failed'",
                "pid:1|op:login|acct:an|res:failed|");
    check_pairs(audit, "msg='", "");
}

static void test_join(void **state)
{
    (void)state;
    static uint8_t large[RUL_JOIN_BYTES];
    struct rul_joined *joined = calloc(1, sizeof(*joined));
    assert_non_null(joined);
    struct rul_joined_event *event = rul_joined_find(joined, 7);
    rul_joined_keep(event, 3, HD_SLICE("first"));
    rul_joined_keep(event, 3, HD_SLICE("second"));
    rul_joined_keep(event, 4, HD_SLICE(""));
    rul_joined_keep(event, 5, hd_slice(large, sizeof(large)));
    assert_ptr_equal(rul_joined_find(joined, 7), event);
    assert_int_equal(event->kept, 1U << 3);
    assert_true(hd_slice_eq(event->values[3], HD_SLICE("first")));
    for (uint64_t key = 8; key < 7 + RUL_JOIN_EVENTS; key++) {
        (void)rul_joined_find(joined, key);
    }
    assert_int_equal(rul_joined_find(joined, 7)->kept, 1U << 3);
    (void)rul_joined_find(joined, 100); /* one more than there is room for */
    assert_int_equal(rul_joined_find(joined, 7)->kept, 0);
    free(joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blanks), cmocka_unit_test(test_cef),
        cmocka_unit_test(test_leef),   cmocka_unit_test(test_audit),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
