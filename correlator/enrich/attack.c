/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/enrich/attack.h"

#include <haidang/slice.h>

/* ATT&CK for Enterprise. Its 19th version split Defense Evasion in two; rules written for
 * either are around, so all three names are kept. */
static const struct cor_tactic tactics[] = {
    {"TA0043", "Reconnaissance"},     {"TA0042", "Resource Development"},
    {"TA0001", "Initial Access"},     {"TA0002", "Execution"},
    {"TA0003", "Persistence"},        {"TA0004", "Privilege Escalation"},
    {"TA0005", "Defense Evasion"},    {"TA0005", "Stealth"},
    {"TA0112", "Defense Impairment"}, {"TA0006", "Credential Access"},
    {"TA0007", "Discovery"},          {"TA0008", "Lateral Movement"},
    {"TA0009", "Collection"},         {"TA0011", "Command and Control"},
    {"TA0010", "Exfiltration"},       {"TA0040", "Impact"},
};
#define N_TACTICS (sizeof(tactics) / sizeof(tactics[0]))

/* Tags write a tactic's name in lower case with '-' or '_' for the blanks. */
static bool is_name(struct hd_slice tag, const char *name)
{
    struct hd_slice n = hd_slice_str(name);
    if (tag.len != n.len) {
        return false;
    }
    for (size_t i = 0; i < n.len; i++) {
        uint8_t c = tag.ptr[i] == '-' || tag.ptr[i] == '_' ? ' ' : hd_lower(tag.ptr[i]);
        if (c != hd_lower(n.ptr[i])) {
            return false;
        }
    }
    return true;
}

const struct cor_tactic *cor_attack_tactic(const char *const *tags, size_t n_tags)
{
    for (size_t i = 0; i < n_tags; i++) {
        struct hd_slice tag = hd_slice_str(tags[i]);
        if (!hd_slice_starts_nocase(tag, HD_SLICE("attack."))) {
            continue;
        }
        tag = hd_slice_from(tag, sizeof("attack.") - 1);
        for (size_t t = 0; t < N_TACTICS; t++) {
            if (hd_slice_eq_nocase(tag, hd_slice_str(tactics[t].id)) ||
                is_name(tag, tactics[t].name)) {
                return &tactics[t];
            }
        }
    }
    return NULL;
}
