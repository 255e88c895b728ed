/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes through every transformation of text: what comes out is valid, safe and
 * stable.
 */
#include <jansson.h>
#include <stdlib.h>

#include <haidang/json.h>
#include <haidang/utf8.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Valid, and without control bytes. */
static void escaped_is_safe(struct hd_slice in)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    hd_utf8_escape(&out, in);
    require(hd_utf8_is_valid(hd_buf_slice(&out)));
    for (size_t i = 0; i < out.len; i++) {
        require(out.ptr[i] >= 0x20 && out.ptr[i] != 0x7f);
    }
    hd_buf_fini(&out);
}

static void folding_is_stable(struct hd_slice in,
                              void (*fold)(struct hd_buf *, struct hd_slice))
{
    struct hd_buf once;
    struct hd_buf twice;
    hd_buf_init(&once, 0);
    hd_buf_init(&twice, 0);
    fold(&once, in);
    fold(&twice, hd_buf_slice(&once));
    require(once.err == 0 && twice.err == 0);
    /* longer texts are folded in pieces, whose cuts may move; between invalid bytes a
     * mark that goes away may let a valid letter come together */
    if (in.len < 256 && (fold == hd_utf8_fold || hd_utf8_is_valid(in))) {
        require(hd_slice_eq(hd_buf_slice(&once), hd_buf_slice(&twice)));
    }
    require(!hd_utf8_is_valid(in) || hd_utf8_is_valid(hd_buf_slice(&once)));
    hd_buf_fini(&once);
    hd_buf_fini(&twice);
}

/* What jansson reads back is the repaired text. */
static void quoting_reads_back(struct hd_slice in)
{
    struct hd_buf quoted;
    struct hd_buf repaired;
    hd_buf_init(&quoted, 0);
    hd_buf_init(&repaired, 0);
    hd_json_quote(&quoted, in);
    hd_utf8_repair(&repaired, in);
    json_t *back = json_loadb((const char *)quoted.ptr, quoted.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(back != NULL);
    require(hd_slice_eq(hd_slice(json_string_value(back), json_string_length(back)),
                        hd_buf_slice(&repaired)));
    json_decref(back);
    hd_buf_fini(&quoted);
    hd_buf_fini(&repaired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_slice in = hd_slice(data, size);
    escaped_is_safe(in);
    folding_is_stable(in, hd_utf8_fold);
    folding_is_stable(in, hd_utf8_plain);
    quoting_reads_back(in);
    require(hd_utf8_width(in) <= 2 * in.len);
    return 0;
}
