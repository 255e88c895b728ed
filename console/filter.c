/* SPDX-License-Identifier: Apache-2.0 */
#include "console/filter.h"

#include <haidang/utf8.h>

#include <stdlib.h>

static int fold_option(const struct con_args *args, const char *name, char **out)
{
    const char *value = con_args_value(args, name);
    if (value == NULL) {
        return HD_OK;
    }
    struct hd_buf folded;
    hd_buf_init(&folded, 65536);
    hd_utf8_plain(&folded, hd_slice_str(value));
    *out = folded.err == 0 ? hd_slice_dup(hd_buf_slice(&folded)) : NULL;
    hd_buf_fini(&folded);
    return *out != NULL ? HD_OK : HD_ENOMEM;
}

int con_filter_init(struct con_filter *filter, const struct con_args *args)
{
    *filter = (struct con_filter){0};
    const char *severity = con_args_value(args, "severity");
    if (severity != NULL &&
        hd_severity_parse(hd_slice_str(severity), &filter->severity) != 0) {
        return con_fail(
            HD_EINVAL, "--severity is low, medium, high or critical, not '%s'", severity);
    }
    int err = fold_option(args, "rule", &filter->rule);
    err = err == 0 ? fold_option(args, "host", &filter->host) : err;
    err = err == 0 ? fold_option(args, "system", &filter->system) : err;
    err = err == 0 ? fold_option(args, "agency", &filter->agency) : err;
    return err == 0 ? fold_option(args, "text", &filter->text) : err;
}

void con_filter_fini(struct con_filter *filter)
{
    free(filter->rule);
    free(filter->host);
    free(filter->system);
    free(filter->agency);
    free(filter->text);
    *filter = (struct con_filter){0};
}

static bool text_has(struct hd_slice text, const char *folded)
{
    struct hd_buf plain;
    hd_buf_init(&plain, HD_ALERT_TEXT_MAX * 4);
    hd_utf8_plain(&plain, text);
    bool found = hd_slice_find(hd_buf_slice(&plain), hd_slice_str(folded)) != HD_NPOS;
    hd_buf_fini(&plain);
    return found;
}

/* True when one of the members named by paths (ended by NULL) holds the word. */
static bool any_has(const json_t *alert, const char *const *paths, const char *folded)
{
    if (folded == NULL) {
        return true;
    }
    for (; *paths != NULL; paths++) {
        if (text_has(hd_slice_str(hd_alert_text(alert, *paths)), folded)) {
            return true;
        }
    }
    return false;
}

static bool whole_has(const json_t *alert, const char *folded)
{
    if (folded == NULL) {
        return true;
    }
    struct hd_buf line;
    hd_buf_init(&line, HD_ALERT_TEXT_MAX);
    bool found =
        hd_alert_format(alert, &line) == 0 && text_has(hd_buf_slice(&line), folded);
    hd_buf_fini(&line);
    return found;
}

bool con_filter_match(const struct con_filter *filter, const json_t *alert)
{
    static const char *const rule[] = {"rule.id", "rule.title", "rule.title_vi", NULL};
    static const char *const host[] = {"host.name", "source.ip", "destination.ip",
                                       "agent.name", NULL};
    static const char *const system[] = {"system.id", "system.name", NULL};
    static const char *const agency[] = {"system.agency", NULL};
    return hd_alert_int(alert, "severity", 0) >= (int64_t)filter->severity &&
           any_has(alert, rule, filter->rule) && any_has(alert, host, filter->host) &&
           any_has(alert, system, filter->system) &&
           any_has(alert, agency, filter->agency) && whole_has(alert, filter->text);
}
