/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert's shape as tables: the built-in form of docs/formats/alert.schema.json, in
 * the order in which members are written. Private to lib/.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hd_ashape_kind {
    HD_ASHAPE_INT,
    HD_ASHAPE_NUMBER,
    HD_ASHAPE_BOOL,
    HD_ASHAPE_TEXT, /* min..max code points */
    HD_ASHAPE_ENUM,
    HD_ASHAPE_TIME, /* RFC 3339 in UTC: "...Z" */
    HD_ASHAPE_UUID,
    HD_ASHAPE_SHA256,
    HD_ASHAPE_IP,
    HD_ASHAPE_TACTIC, /* "TA0006" */
    HD_ASHAPE_OBJECT,
    HD_ASHAPE_TEXTS,   /* array of at most max texts */
    HD_ASHAPE_OBJECTS, /* array of at most max objects */
    HD_ASHAPE_MAP,     /* object of at most max texts under any keys */
};

struct hd_ashape_member {
    const char *name;
    enum hd_ashape_kind kind;
    bool is_required;
    int64_t min, max;
    const char *const *values; /* of an enum; NULL-terminated */
    const struct hd_ashape *shape;
};

struct hd_ashape {
    const struct hd_ashape_member *members;
    size_t n;
};

const struct hd_ashape *hd_ashape_alert(void);
