/* SPDX-License-Identifier: Apache-2.0 */
#include "console/show.h"

#include <haidang/alert.h>
#include <haidang/utf8.h>

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_ZONE  "Asia/Ho_Chi_Minh"
#define DEFAULT_WIDTH 100U

bool con_show_env_is_vietnamese(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strncmp(value, "vi", 2) == 0;
        }
    }
    return false;
}

size_t con_show_width(void)
{
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : DEFAULT_WIDTH;
}

int con_show_init(struct con_show *show, const struct con_args *args)
{
    const char *lang = con_args_value(args, "lang");
    *show = (struct con_show){0};
    if (lang != NULL && strcmp(lang, "vi") != 0 && strcmp(lang, "en") != 0) {
        return con_fail(HD_EINVAL, "--lang is en or vi, not '%s'", lang);
    }
    show->is_vietnamese =
        lang != NULL ? strcmp(lang, "vi") == 0 : con_show_env_is_vietnamese();
    show->has_colour = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
    return hd_zone_open(con_args_flag(args, "utc") ? "UTC" : DEFAULT_ZONE, &show->zone);
}

void con_show_fini(struct con_show *show)
{
    if (show->zone != NULL) {
        hd_zone_close(show->zone);
    }
    *show = (struct con_show){0};
}

const char *con_show_say(const struct con_show *show, const char *en, const char *vi)
{
    return show->is_vietnamese ? vi : en;
}

void con_show_time(const struct con_show *show, int64_t ns, struct hd_buf *out)
{
    struct hd_civil t;
    hd_clock_to_civil(ns + hd_zone_offset_s(show->zone, ns) * HD_NS_PER_SEC, &t);
    hd_buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", t.year, t.month, t.day, t.hour,
                  t.minute, t.second);
}

static void colour(const struct con_show *show, struct hd_buf *out, const char *code)
{
    if (show->has_colour) {
        hd_buf_str(out, code);
    }
}

static void add_severity(const struct con_show *show, int64_t severity,
                         struct hd_buf *out)
{
    static const struct {
        const char *en, *vi, *code;
    } level[] = {
        {"?", "?", ""},
        {"LOW", "THẤP", "\033[36m"},
        {"MEDIUM", "TRUNG BÌNH", "\033[33m"},
        {"HIGH", "CAO", "\033[31m"},
        {"CRITICAL", "NGHIÊM TRỌNG", "\033[1;37;41m"},
    };
    size_t i = severity >= 1 && severity <= 4 ? (size_t)severity : 0;
    const char *text = con_show_say(show, level[i].en, level[i].vi);
    size_t column = show->is_vietnamese ? 12 : 8;
    colour(show, out, level[i].code);
    hd_buf_str(out, text);
    colour(show, out, "\033[0m");
    for (size_t width = hd_utf8_width(hd_slice_str(text)); width < column; width++) {
        hd_buf_byte(out, ' ');
    }
}

static void add_text(struct hd_buf *out, const char *before, const char *text)
{
    if (text[0] != '\0') {
        hd_buf_str(out, before);
        hd_utf8_escape(out, hd_slice_str(text));
    }
}

static void add_endpoint(struct hd_buf *out, const json_t *alert, const char *side)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%s.ip", side);
    const char *ip = hd_alert_text(alert, path);
    if (ip[0] == '\0') {
        return;
    }
    hd_buf_str(out, strcmp(side, "source") == 0 ? "  " : " -> ");
    hd_utf8_escape(out, hd_slice_str(ip));
    (void)snprintf(path, sizeof(path), "%s.port", side);
    int64_t port = hd_alert_int(alert, path, -1);
    if (port >= 0) {
        hd_buf_printf(out, ":%lld", (long long)port);
    }
    (void)snprintf(path, sizeof(path), "%s.geo.country_iso", side);
    add_text(out, " ", hd_alert_text(alert, path));
    (void)snprintf(path, sizeof(path), "%s.as.organization", side);
    add_text(out, " ", hd_alert_text(alert, path));
}

void con_show_system(const struct con_show *show, const json_t *system,
                     struct hd_buf *out)
{
    const char *name = hd_alert_text(system, "name");
    if (name[0] == '\0') {
        return;
    }
    add_text(out, "  [", name);
    int64_t level = hd_alert_int(system, "level", 0);
    if (level > 0) {
        hd_buf_printf(out, ", %s %lld", con_show_say(show, "level", "cấp độ"),
                      (long long)level);
    }
    add_text(out, ", ", hd_alert_text(system, "agency"));
    hd_buf_byte(out, ']');
}

static void add_evidence(const struct con_show *show, struct hd_buf *out,
                         const json_t *alert)
{
    const json_t *evidence = hd_alert_at(alert, "evidence");
    size_t n = json_array_size(evidence);
    if (n == 0) {
        return;
    }
    const char *line = hd_alert_text(json_array_get(evidence, n - 1), "line");
    colour(show, out, "\033[2m");
    add_text(out, "    ", line);
    colour(show, out, "\033[0m");
    hd_buf_byte(out, '\n');
}

void con_show_alert(const struct con_show *show, const json_t *alert, struct hd_buf *out)
{
    int64_t ns = 0;
    const char *title = hd_alert_text(alert, "rule.title");
    const char *title_vi = hd_alert_text(alert, "rule.title_vi");
    if (hd_alert_time(alert, "time.last", &ns) == 0) {
        con_show_time(show, ns, out);
        hd_buf_str(out, "  ");
    }
    add_severity(show, hd_alert_int(alert, "severity", 0), out);
    hd_buf_str(out, "  ");
    if (hd_alert_is_test(alert)) {
        hd_buf_printf(out, "%s  ", con_show_say(show, "[TEST]", "[THỬ NGHIỆM]"));
    }
    colour(show, out, "\033[1m");
    hd_utf8_escape(
        out, hd_slice_str(show->is_vietnamese && title_vi[0] != '\0' ? title_vi : title));
    colour(show, out, "\033[0m");
    int64_t count = hd_alert_int(alert, "count", 1);
    if (count > 1) {
        hd_buf_printf(out, " ×%lld", (long long)count);
    }
    add_endpoint(out, alert, "source");
    add_endpoint(out, alert, "destination");
    add_text(out, con_show_say(show, "  host ", "  máy chủ "),
             hd_alert_text(alert, "host.name"));
    add_text(out, con_show_say(show, "  user ", "  tài khoản "),
             hd_alert_text(alert, "user.name"));
    con_show_system(show, hd_alert_at(alert, "system"), out);
    if (hd_alert_text(alert, "order")[0] != '\0') {
        hd_buf_printf(out, "  (%s)",
                      con_show_say(show, "order not sure", "thứ tự không chắc chắn"));
    }
    int64_t suppressed = hd_alert_int(alert, "suppressed", 0);
    if (suppressed > 0) {
        hd_buf_printf(out, "  (+%lld %s)", (long long)suppressed,
                      con_show_say(show, "repeats", "lần lặp lại"));
    }
    int64_t throttled = hd_alert_int(alert, "throttled", 0);
    if (throttled > 0) {
        hd_buf_printf(out, "  (%lld %s)", (long long)throttled,
                      con_show_say(show, "alerts of this rule held back",
                                   "cảnh báo của luật này bị giữ lại"));
    }
    hd_buf_byte(out, '\n');
    add_evidence(show, out, alert);
}
