/* SPDX-License-Identifier: Apache-2.0 */
#include "console/unpack.h"

#include <zstd.h>

int con_unpack(const struct hd_journal_entry *entry, struct hd_buf *text)
{
    unsigned long long size =
        ZSTD_getFrameContentSize(entry->payload.ptr, entry->payload.len);
    if (size > CON_UNPACK_MAX) {
        return HD_ECORRUPT;
    }
    hd_buf_clear(text);
    uint8_t *room = hd_buf_reserve(text, (size_t)size + 1);
    if (room == NULL) {
        return HD_ENOMEM;
    }
    size_t n =
        ZSTD_decompress(room, (size_t)size, entry->payload.ptr, entry->payload.len);
    if (ZSTD_isError(n)) {
        return HD_ECORRUPT;
    }
    text->len = n;
    return HD_OK;
}
