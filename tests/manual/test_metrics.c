/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/metrics.md has one row for every metric of every program, and no other row.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "collector/metrics.h"
#include "correlator/metrics.h"
#include "forwarder/metrics.h"
#include <haidang/buf.h>
#include <haidang/fs.h>

enum { PAGE_MAX = 1 << 20 };

static size_t occurrences(const struct hd_buf *page, const char *text)
{
    const uint8_t *at = page->ptr, *end = page->ptr + page->len;
    size_t n = 0;
    while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        n++;
        at += strlen(text);
    }
    return n;
}

/* How many metrics of the table have no row of their own. */
static size_t missing(const struct hd_buf *page, const struct hd_metric *table, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        char row[256];
        (void)snprintf(row, sizeof(row), "\n| `%s` | %s | ", table[i].name,
                       table[i].type == HD_METRIC_COUNTER ? "counter" : "gauge");
        if (occurrences(page, row) != 1) {
            print_message("docs/metrics.md needs one row for: | `%s` | %s | %s | ... |\n",
                          table[i].name,
                          table[i].type == HD_METRIC_COUNTER ? "counter" : "gauge",
                          table[i].help);
            continue;
        }
        found++;
    }
    return n - found;
}

static void test_page_has_every_metric_and_no_other(void **state)
{
    (void)state;
    struct hd_buf page;
    hd_buf_init(&page, PAGE_MAX);
    assert_int_equal(hd_fs_read(hd_test_source("docs/metrics.md"), PAGE_MAX, &page),
                     HD_OK);
    size_t wrong = missing(&page, col_metrics, col_metrics_count) +
                   missing(&page, cor_metrics, cor_metrics_count) +
                   missing(&page, fwd_metrics, fwd_metrics_count);
    assert_int_equal(wrong, 0);
    assert_int_equal(occurrences(&page, "\n| `haidang_"),
                     col_metrics_count + cor_metrics_count + fwd_metrics_count);
    hd_buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_has_every_metric_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
