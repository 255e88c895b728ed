/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/manifest.h"

static int bad(char why[256], const char *what)
{
    (void)snprintf(why, 256, CON_MANIFEST_NAME ": %s", what);
    return HD_ECORRUPT;
}

static bool is_position(const json_t *entry, const char *name)
{
    return json_integer_value(json_object_get(entry, name)) > 0;
}

static int take_entries(const json_t *from, size_t max, json_t *into, char why[256])
{
    json_t *entry = NULL;
    size_t i = 0;
    if (!json_is_array(from) || json_array_size(from) > max) {
        return bad(why, "a list is missing or too long");
    }
    json_array_foreach(from, i, entry)
    {
        if (!is_position(entry, "segment") || !is_position(entry, "entry") ||
            !is_position(entry, "offset")) {
            return bad(why, "something in it does not say where it lies");
        }
        if (json_array_append(into, entry) != 0) {
            return HD_ENOMEM;
        }
    }
    return HD_OK;
}

static int take_all(const json_t *whole, struct con_chain *chain, char why[256])
{
    static const size_t max[] = {CON_CHAIN_EVENTS_MAX, CON_CHAIN_ALERTS_MAX,
                                 CON_CHAIN_RECEIPTS_MAX};
    json_t *subject = json_object_get(whole, "subject");
    if (!json_is_string(json_object_get(subject, "kind")) ||
        !json_is_string(json_object_get(subject, "id")) ||
        json_object_size(subject) != 2) {
        return bad(why, "it does not say what it is about");
    }
    json_decref(chain->subject);
    chain->subject = json_incref(subject);
    int err = HD_OK;
    for (unsigned j = 0; err == HD_OK && j < CON_CHAIN_JOURNALS; j++) {
        err = take_entries(
            json_object_get(whole, con_chain_entries_name((enum con_chain_journal)j)),
            max[j], chain->entries[j], why);
    }
    return err;
}

int con_manifest_parse(struct hd_slice text, struct con_chain *chain, char why[256])
{
    json_error_t error;
    json_t *whole =
        json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(whole)) {
        json_decref(whole);
        return bad(why, "it is no JSON object");
    }
    int err = take_all(whole, chain, why);
    json_decref(whole);
    return err;
}
