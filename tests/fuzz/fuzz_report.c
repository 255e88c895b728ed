/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a period and as what a report says: a period that is accepted lies between
 * the one before and its end, and nothing of a text is markup on either paper.
 */
#include <stdlib.h>
#include <string.h>

#include "console/report/paper.h"
#include "console/report/period.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void try_period(struct hd_slice text)
{
    struct hd_zone *zone = NULL;
    must(hd_zone_open("Asia/Ho_Chi_Minh", &zone) == HD_OK);
    for (unsigned unit = 0; unit < CON_PERIOD_UNITS; unit++) {
        struct con_period period;
        if (con_period_parse((enum con_period_unit)unit, text, zone, &period) == HD_OK) {
            must(period.before_ns < period.since_ns && period.since_ns < period.until_ns);
        }
    }
    hd_zone_close(zone);
}

static size_t count(const struct hd_buf *buf, uint8_t byte)
{
    size_t n = 0;
    for (size_t i = 0; i < buf->len; i++) {
        n += buf->ptr[i] == byte;
    }
    return n;
}

/* As many of these bytes as the same blocks have with an empty text. */
static void try_paper(const char *text, bool is_html)
{
    static const char *const heads[] = {"a", "#b", NULL};
    struct hd_buf out[2];
    for (size_t i = 0; i < 2; i++) {
        const char *what = i == 0 ? text : "";
        hd_buf_init(&out[i], 0);
        struct con_paper paper = {.out = &out[i], .is_html = is_html};
        con_paper_begin(&paper, "en", what);
        con_paper_heading(&paper, what);
        con_paper_text(&paper, "%s", what);
        con_paper_item(&paper, "%s", what);
        con_paper_table(&paper, heads);
        con_paper_row(&paper, (const char *[]){what, what});
        con_paper_table_end(&paper);
        con_paper_end(&paper);
    }
    must(count(&out[0], '\n') == count(&out[1], '\n'));
    must(!is_html || (count(&out[0], '<') == count(&out[1], '<') &&
                      count(&out[0], '"') == count(&out[1], '"') &&
                      count(&out[0], '\'') == count(&out[1], '\'')));
    hd_buf_fini(&out[0]);
    hd_buf_fini(&out[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = hd_slice_dup(hd_slice(data, size));
    must(text != NULL);
    try_period(hd_slice(data, size));
    try_paper(text, true);
    try_paper(text, false);
    free(text);
    return 0;
}
