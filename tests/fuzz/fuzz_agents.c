/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_archive_meta_decode cor_agents_restore cor_agents_snapshot
 * What is restored is written and restored again: the same table.
 */
#include <stdlib.h>

#include <haidang/archive_meta.h>

#include "correlator/intake/agents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void snapshot(const struct cor_agents *table, struct hd_buf *out)
{
    hd_buf_init(out, 0);
    if (cor_agents_snapshot(table, out) != HD_OK) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_archive_meta meta;
    struct cor_agents table;
    struct hd_buf first, second;
    const char *why = NULL;
    (void)hd_archive_meta_decode(hd_slice(data, size), &meta);
    if (cor_agents_init(&table, 64) != HD_OK) {
        return 0;
    }
    if (cor_agents_restore(&table, hd_slice(data, size), &why) == HD_OK) {
        snapshot(&table, &first);
        cor_agents_fini(&table);
        if (cor_agents_init(&table, 64) != HD_OK ||
            cor_agents_restore(&table, hd_buf_slice(&first), &why) != HD_OK) {
            abort();
        }
        snapshot(&table, &second);
        if (!hd_slice_eq(hd_buf_slice(&first), hd_buf_slice(&second))) {
            abort();
        }
        hd_buf_fini(&first);
        hd_buf_fini(&second);
    }
    cor_agents_fini(&table);
    return 0;
}
