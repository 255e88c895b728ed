/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: cor_sources_restore cor_sources_save
 * What is restored is written and restored again: the same inventory.
 */
#include <stdlib.h>

#include "correlator/sources/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cor_sources_opts opts = {.max = 64, .floor_ns = 1, .factor = 3};
static const struct cor_times now = {1, 1};

static int restore(struct hd_slice text, struct cor_sources *table)
{
    const char *why = NULL;
    if (cor_sources_init(table, &opts, &now) != HD_OK) {
        abort();
    }
    return cor_sources_restore(table, text, &now, &why);
}

static void save(const struct cor_sources *table, struct hd_buf *out)
{
    hd_buf_init(out, 0);
    if (cor_sources_save(table, out) != HD_OK) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cor_sources table;
    struct hd_buf first, second;
    if (restore(hd_slice(data, size), &table) == HD_OK) {
        save(&table, &first);
        cor_sources_fini(&table);
        if (restore(hd_buf_slice(&first), &table) != HD_OK) {
            abort();
        }
        save(&table, &second);
        if (!hd_slice_eq(hd_buf_slice(&first), hd_buf_slice(&second))) {
            abort();
        }
        hd_buf_fini(&first);
        hd_buf_fini(&second);
    }
    cor_sources_fini(&table);
    return 0;
}
