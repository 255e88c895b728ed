/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: rul_event_xml_scan, rul_event_xml_unescape. Leaves lie in the text;
 * undoing entities never lengthens.
 */
#include <stdlib.h>

#include "rules/decode/event_xml.h"
#include "rules/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rul_paths *make_paths(void)
{
    static const char *const names[] = {"Event.System.EventID",
                                        "Image",
                                        "Data",
                                        "E",
                                        "a.b",
                                        "Event.System.Provider.#attributes.Name"};
    struct rul_fields *fields;
    uint16_t id;
    if (rul_fields_new(&fields) != 0) {
        abort();
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rul_fields_add(fields, hd_slice_str(names[i]), &id) != 0) {
            abort();
        }
    }
    if (rul_paths_lift(rul_fields_paths(fields), HD_SLICE("Event.EventData")) != 0) {
        abort();
    }
    return rul_fields_paths(fields);
}

static void on_leaf(void *ctx, const struct rul_json_leaf *leaf)
{
    const struct hd_slice *in = ctx;
    uint8_t *out = malloc(leaf->text.len + 1);
    if (out == NULL || rul_event_xml_unescape(leaf->text, out) > leaf->text.len ||
        leaf->text.ptr < in->ptr || leaf->text.ptr + leaf->text.len > in->ptr + in->len) {
        abort();
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rul_paths *paths;
    struct hd_slice in = hd_slice(data, size);
    paths = paths == NULL ? make_paths() : paths;
    (void)rul_event_xml_scan(in, paths, on_leaf, &in);
    return 0;
}
