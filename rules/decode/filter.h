/* SPDX-License-Identifier: Apache-2.0
 *
 * What a decoder's `map` may do to a value on its way to another field: check it, take a
 * part of it, or transform it. Views where possible, the arena otherwise. Pure.
 */
#pragma once
#include "rules/decode/arena.h"

/* name in YAML, what it yields; nothing is set when it does not apply */
#define RUL_FILTER_MAP(X)                                                                \
    X(RUL_FILTER_COPY, "copy")       /* the value */                                     \
    X(RUL_FILTER_IP, "ip")           /* the value, when it is an IP address */           \
    X(RUL_FILTER_NOT_IP, "not-ip")   /* the value, when it is no IP address */           \
    X(RUL_FILTER_UINT, "uint")       /* the value, when it is all digits */              \
    X(RUL_FILTER_METHOD, "method")   /* of an HTTP request line: GET */                  \
    X(RUL_FILTER_TARGET, "target")   /* of an HTTP request line: /a?b */                 \
    X(RUL_FILTER_VERSION, "version") /* of an HTTP request line: HTTP/1.1 */             \
    X(RUL_FILTER_STEM, "stem")       /* what stands before "?" */                        \
    X(RUL_FILTER_QUERY, "query")     /* what stands behind "?" */                        \
    X(RUL_FILTER_PERCENT, "percent") /* percent-decoded, twice when that changes it */   \
    X(RUL_FILTER_LOWER, "lower")     /* ASCII lower case */                              \
    X(RUL_FILTER_HOST, "host")       /* of "host:port" or "[v6]:port" */                 \
    X(RUL_FILTER_PORT, "port")       /* of "host:port" or "[v6]:port" */                 \
    X(RUL_FILTER_BASE, "base")       /* behind the last "/" or "\" */
#define RUL_FILTER_ENUM(id, name) id,
enum rul_filter { RUL_FILTER_MAP(RUL_FILTER_ENUM) RUL_FILTERS };
#undef RUL_FILTER_ENUM

/* False: the filter does not apply and *out is left alone. */
bool rul_filter_apply(enum rul_filter filter, struct hd_slice value,
                      struct rul_decode_arena *arena, struct hd_slice *out);
