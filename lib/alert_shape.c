/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables only. A change here is a change of docs/formats/alert.schema.json; a test holds
 * the two against each other.
 */
#include "lib/alert_shape.h"

#include <haidang/alert.h>

#define NAME_MAX  256  /* names and titles that people wrote */
#define TEXT_MAX  8192 /* what came out of a log line */
#define ITEMS_MAX 64
#define COUNT_MAX INT64_MAX

#define INT(n, lo, hi)                                                                   \
    {                                                                                    \
        (n), HD_ASHAPE_INT, false, (lo), (hi), NULL, NULL                                \
    }
#define INT_MUST(n, lo, hi)                                                              \
    {                                                                                    \
        (n), HD_ASHAPE_INT, true, (lo), (hi), NULL, NULL                                 \
    }
#define NUM(n, lo, hi)                                                                   \
    {                                                                                    \
        (n), HD_ASHAPE_NUMBER, false, (lo), (hi), NULL, NULL                             \
    }
#define BOOL(n)                                                                          \
    {                                                                                    \
        (n), HD_ASHAPE_BOOL, false, 0, 0, NULL, NULL                                     \
    }
#define TEXT(n)                                                                          \
    {                                                                                    \
        (n), HD_ASHAPE_TEXT, false, 0, TEXT_MAX, NULL, NULL                              \
    }
#define NAME(n)                                                                          \
    {                                                                                    \
        (n), HD_ASHAPE_TEXT, false, 0, NAME_MAX, NULL, NULL                              \
    }
#define NAME_MUST(n)                                                                     \
    {                                                                                    \
        (n), HD_ASHAPE_TEXT, true, 1, NAME_MAX, NULL, NULL                               \
    }
#define ONE_OF(n, list)                                                                  \
    {                                                                                    \
        (n), HD_ASHAPE_ENUM, true, 0, 0, (list), NULL                                    \
    }
#define MAY_BE_OF(n, list)                                                               \
    {                                                                                    \
        (n), HD_ASHAPE_ENUM, false, 0, 0, (list), NULL                                   \
    }
#define AS(n, kind)                                                                      \
    {                                                                                    \
        (n), (kind), false, 0, 0, NULL, NULL                                             \
    }
#define AS_MUST(n, kind)                                                                 \
    {                                                                                    \
        (n), (kind), true, 0, 0, NULL, NULL                                              \
    }
#define OBJ(n, s)                                                                        \
    {                                                                                    \
        (n), HD_ASHAPE_OBJECT, false, 0, 0, NULL, &(s)                                   \
    }
#define OBJ_MUST(n, s)                                                                   \
    {                                                                                    \
        (n), HD_ASHAPE_OBJECT, true, 0, 0, NULL, &(s)                                    \
    }
#define TEXTS(n)                                                                         \
    {                                                                                    \
        (n), HD_ASHAPE_TEXTS, false, 0, ITEMS_MAX, NULL, NULL                            \
    }
#define MAP(n)                                                                           \
    {                                                                                    \
        (n), HD_ASHAPE_MAP, false, 0, ITEMS_MAX, NULL, NULL                              \
    }
#define OBJS_MUST(n, most, s)                                                            \
    {                                                                                    \
        (n), HD_ASHAPE_OBJECTS, true, 0, (most), NULL, &(s)                              \
    }
#define SHAPE(name, ...)                                                                 \
    static const struct hd_ashape_member name##_members[] = {__VA_ARGS__};               \
    static const struct hd_ashape name = {name##_members, sizeof(name##_members) /       \
                                                              sizeof(name##_members[0])}

static const char *const statuses[] = {"new", "update", "test", NULL};
static const char *const levels[] = {"informational", "low",      "medium",
                                     "high",          "critical", NULL};
static const char *const types[] = {"detection", "event_count",      "value_count",
                                    "value_sum", "value_avg",        "value_percentile",
                                    "temporal",  "temporal_ordered", NULL};
static const char *const orders[] = {"ambiguous", NULL};
static const char *const deliveries[] = {"province", "national", NULL};

SHAPE(times, AS_MUST("first", HD_ASHAPE_TIME), AS_MUST("last", HD_ASHAPE_TIME),
      AS_MUST("published", HD_ASHAPE_TIME));
SHAPE(rule, NAME_MUST("id"), NAME_MUST("title"), NAME("title_vi"), TEXT("description"),
      TEXT("description_vi"), NAME("author"), NAME("license"), ONE_OF("level", levels),
      TEXTS("tags"), ONE_OF("type", types));
SHAPE(category, AS_MUST("tactic", HD_ASHAPE_TACTIC), NAME("name"));
SHAPE(geo, NAME("country_iso"), NAME("country"), NAME("region"), NAME("city"),
      NAME("timezone"), NUM("lat", -90, 90), NUM("lon", -180, 180));
SHAPE(autonomous, INT("number", 0, UINT32_MAX), NAME("organization"));
SHAPE(endpoint, AS("ip", HD_ASHAPE_IP), INT("port", 0, UINT16_MAX), OBJ("geo", geo),
      OBJ("as", autonomous));
SHAPE(network, NAME("transport"), NAME("protocol"), NAME("direction"),
      NAME("community_id"));
SHAPE(named, TEXT("name"));
SHAPE(process, TEXT("name"), INT("pid", 0, COUNT_MAX));
SHAPE(url, TEXT("path"), TEXT("query"));
SHAPE(tls, TEXT("sni"), NAME("ja4"));
SHAPE(information_system, NAME_MUST("id"), NAME_MUST("name"), NAME("agency"),
      INT("level", 1, 5), NAME("contact"));
SHAPE(evidence, AS_MUST("time", HD_ASHAPE_TIME), NAME("agent"), NAME("boot"),
      INT("seq", 0, COUNT_MAX), TEXT("line"), AS("sha256", HD_ASHAPE_SHA256),
      BOOL("truncated"));
SHAPE(canary, NAME_MUST("id"), NAME_MUST("class"), NAME_MUST("key"),
      AS_MUST("sent", HD_ASHAPE_TIME), INT_MUST("parts", 1, COUNT_MAX));
SHAPE(alert, INT_MUST("version", HD_ALERT_VERSION, HD_ALERT_VERSION),
      AS_MUST("id", HD_ASHAPE_UUID), ONE_OF("status", statuses), OBJ_MUST("time", times),
      INT_MUST("count", 1, COUNT_MAX), OBJ_MUST("rule", rule), OBJ("category", category),
      INT_MUST("severity", HD_SEV_LOW, HD_SEV_CRITICAL), OBJ("source", endpoint),
      OBJ("destination", endpoint), OBJ("network", network), OBJ("host", named),
      OBJ("user", named), OBJ("process", process), OBJ("url", url), OBJ("dns", named),
      OBJ("tls", tls), TEXT("user_agent"), OBJ("agent", named),
      OBJ("system", information_system),
      OBJS_MUST("evidence", HD_ALERT_EVIDENCE_MAX, evidence), MAP("group"),
      MAY_BE_OF("order", orders), INT("suppressed", 0, COUNT_MAX),
      INT("throttled", 0, COUNT_MAX), OBJ("canary", canary),
      ONE_OF("delivery", deliveries));

const struct hd_ashape *hd_ashape_alert(void)
{
    return &alert;
}
