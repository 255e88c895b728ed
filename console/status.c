/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang status: asks each program over its status socket and shows one screen.
 */
#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/utf8.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "console/ask.h"
#include "console/command.h"
#include "console/losses.h"
#include "console/show.h"
#include "console/status_rules.h"

static const char *const programs[] = {"agent", "correlator", "forwarder"};
#define N_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static void add_size(struct hd_buf *out, int64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    int64_t whole = bytes;
    while (whole >= 10240 && i < 4) {
        whole /= 1024;
        i++;
    }
    hd_buf_printf(out, "%lld %s", (long long)whole, unit[i]);
}

static void add_word(struct hd_buf *out, const json_t *object, const char *path)
{
    hd_utf8_escape(out, hd_slice_str(hd_alert_text(object, path)));
}

static int64_t number(const json_t *object, const char *path)
{
    return hd_alert_int(object, path, 0);
}

static void show_agent(const struct con_show *show, const json_t *status,
                       struct hd_buf *out)
{
    size_t i;
    json_t *source;
    hd_buf_printf(out, "  %s ", con_show_say(show, "uplink", "kết nối"));
    add_word(out, status, "uplink.state");
    hd_buf_byte(out, ' ');
    add_word(out, status, "uplink.correlator");
    hd_buf_printf(out, ", %s ", con_show_say(show, "spool", "hàng đợi"));
    add_size(out, number(status, "spool.bytes"));
    hd_buf_printf(out, ", %s ", con_show_say(show, "not acknowledged", "chưa xác nhận"));
    add_size(out, number(status, "spool.unacked_bytes"));
    hd_buf_printf(out, " (%lld %s)\n", (long long)number(status, "spool.lines"),
                  con_show_say(show, "lines", "dòng"));
    json_array_foreach(json_object_get(status, "sources"), i, source)
    {
        hd_buf_str(out, "  ");
        add_word(out, source, "kind");
        hd_buf_byte(out, ' ');
        add_word(out, source, "name");
        hd_buf_printf(out, ": %lld %s, %lld %s, ", (long long)number(source, "lines"),
                      con_show_say(show, "lines", "dòng"),
                      (long long)number(source, "dropped"),
                      con_show_say(show, "dropped", "bị mất"));
        add_word(out, source, "state");
        if (number(source, "passed_over") > 0) {
            hd_buf_printf(out, ", %lld %s", (long long)number(source, "passed_over"),
                          con_show_say(show, "names passed over (no files)",
                                       "tên bị bỏ qua (không phải tệp)"));
        }
        hd_buf_byte(out, '\n');
    }
}

static void show_losses(const struct con_show *show, json_t *losses, struct hd_buf *out)
{
    const char *key;
    json_t *count;
    const char *between = " ";
    if (losses == NULL) {
        return; /* of an older correlator */
    }
    if (json_object_size(losses) == 0) {
        hd_buf_printf(out, "  %s\n",
                      con_show_say(show, "nothing was lost in the last 24 hours",
                                   "không có gì bị mất trong 24 giờ qua"));
        return;
    }
    hd_buf_printf(
        out, "  ! %s",
        con_show_say(show, "lost in the last 24 hours:", "mất trong 24 giờ qua:"));
    json_object_foreach(losses, key, count)
    {
        enum hd_loss_kind kind = hd_loss_find(hd_slice_str(key));
        hd_buf_printf(out, "%s%s %lld %s", between, hd_loss_name(kind),
                      (long long)json_integer_value(count), con_loss_unit(show, kind));
        between = ", ";
    }
    hd_buf_printf(out, "; %s: haidang losses\n", con_show_say(show, "see", "xem"));
}

/* When a canary came last, by each way in. */
static void show_canaries(const struct con_show *show, const json_t *canaries,
                          struct hd_buf *out)
{
    const char *class;
    json_t *time;
    json_t *last = json_object_get(canaries, "last");
    if (json_object_size(last) == 0) {
        return; /* of an older correlator, or there were none */
    }
    hd_buf_printf(
        out, "  %s %lld / %lld",
        con_show_say(show, "rules proven by canaries:", "luật đã được thử thành công:"),
        (long long)number(canaries, "rules_proven"),
        (long long)(number(canaries, "rules_proven") +
                    number(canaries, "rules_unproven")));
    json_object_foreach(last, class, time)
    {
        hd_buf_printf(out, ", %s ", class);
        hd_utf8_escape(out, hd_slice_str(json_string_value(time)));
    }
    hd_buf_byte(out, '\n');
}

static void show_correlator(const struct con_show *show, const json_t *status,
                            struct hd_buf *out)
{
    size_t i;
    json_t *agent;
    hd_buf_printf(out, "  %s ", con_show_say(show, "archive", "kho lưu"));
    add_size(out, number(status, "archive.bytes"));
    hd_buf_printf(out, ", %s %lld, %s %lld, %s ", con_show_say(show, "rules", "luật"),
                  (long long)number(status, "rules.count"),
                  con_show_say(show, "alerts", "cảnh báo"),
                  (long long)number(status, "alerts.published"),
                  con_show_say(show, "detection behind by", "phân tích còn chậm"));
    add_size(out, number(status, "detect.lag_bytes"));
    hd_buf_byte(out, '\n');
    show_losses(show, json_object_get(status, "losses"), out);
    show_canaries(show, json_object_get(status, "canaries"), out);
    json_array_foreach(json_object_get(status, "agents"), i, agent)
    {
        hd_buf_str(out,
                   json_is_true(json_object_get(agent, "connected")) ? "  + " : "  - ");
        add_word(out, agent, "agent");
        hd_buf_byte(out, ' ');
        add_word(out, agent, "peer");
        hd_buf_printf(out, ": %s ", con_show_say(show, "last seen", "lần cuối"));
        add_word(out, agent, "last_seen");
        hd_buf_printf(
            out, ", %lld %s, %lld/s, %s %lld s, %s ", (long long)number(agent, "lines"),
            con_show_say(show, "lines", "dòng"), (long long)number(agent, "rate"),
            con_show_say(show, "lag", "trễ"), (long long)number(agent, "lag_s"),
            con_show_say(show, "spool", "hàng đợi"));
        add_size(out, number(agent, "spool_bytes"));
        hd_buf_printf(out, ", %lld %s\n", (long long)number(agent, "dropped"),
                      con_show_say(show, "dropped", "bị mất"));
    }
}

static void show_forwarder(const struct con_show *show, const json_t *status,
                           struct hd_buf *out)
{
    size_t i;
    json_t *to;
    json_array_foreach(json_object_get(status, "destinations"), i, to)
    {
        hd_buf_str(out, "  ");
        add_word(out, to, "name");
        hd_buf_str(out, " (");
        add_word(out, to, "profile");
        hd_buf_str(out, "): ");
        add_word(out, to, "state");
        hd_buf_printf(
            out, ", %lld %s, %lld %s, %lld %s", (long long)number(to, "delivered"),
            con_show_say(show, "delivered", "đã gửi"), (long long)number(to, "pending"),
            con_show_say(show, "pending", "đang chờ"), (long long)number(to, "dead"),
            con_show_say(show, "refused", "bị từ chối"));
        const char *error = hd_alert_text(to, "last_error");
        if (error[0] != '\0') {
            hd_buf_str(out, ": ");
            hd_utf8_escape(out, hd_slice_str(error));
        }
        hd_buf_byte(out, '\n');
    }
}

static void show_program(const struct con_show *show, const char *name,
                         const json_t *status, struct hd_buf *out)
{
    bool is_ok = strcmp(hd_alert_text(status, "state"), "ok") == 0;
    const char *colour = is_ok ? "\033[32m" : "\033[33m";
    hd_buf_printf(out, "%s%s%s  ", show->has_colour ? colour : "",
                  is_ok ? con_show_say(show, "ok      ", "tốt     ")
                        : con_show_say(show, "degraded", "cần xem "),
                  show->has_colour ? "\033[0m" : "");
    hd_buf_printf(out, "%s ", name);
    add_word(out, status, "version");
    hd_buf_printf(out, ", pid %lld, %s ", (long long)number(status, "pid"),
                  con_show_say(show, "since", "từ"));
    add_word(out, status, "started");
    hd_buf_byte(out, '\n');
    size_t i;
    json_t *problem;
    json_array_foreach(json_object_get(status, "problems"), i, problem)
    {
        hd_buf_str(out, "  ! ");
        hd_utf8_escape(out, hd_slice_str(json_string_value(problem)));
        hd_buf_byte(out, '\n');
    }
    if (strcmp(name, "agent") == 0) {
        show_agent(show, status, out);
    } else if (strcmp(name, "correlator") == 0) {
        show_correlator(show, status, out);
    } else {
        show_forwarder(show, status, out);
    }
}

static void show_absent(const struct con_show *show, const char *name, const char *why,
                        struct hd_buf *out)
{
    hd_buf_printf(out, "%s%s%s  %s (%s)\n", show->has_colour ? "\033[31m" : "",
                  con_show_say(show, "down    ", "không có"),
                  show->has_colour ? "\033[0m" : "", name, why);
}

int con_run_status(const struct con_args *args)
{
    struct con_show show;
    struct hd_buf out;
    const char *run_dir = con_args_value(args, "run-dir");
    if (con_args_flag(args, "rules")) {
        return con_status_rules(args);
    }
    size_t answered = 0;
    bool is_well = true;
    if (con_show_init(&show, args) != 0) {
        return HD_EXIT_USAGE;
    }
    hd_buf_init(&out, 0);
    json_t *all = json_object();
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        char why[256];
        json_t *status = con_ask(run_dir, programs[i], "/status", why);
        if (status == NULL) {
            show_absent(&show, programs[i], why, &out);
            continue;
        }
        answered++;
        is_well = is_well && strcmp(hd_alert_text(status, "state"), "ok") == 0;
        show_program(&show, programs[i], status, &out);
        (void)json_object_set_new(all, programs[i], status);
    }
    if (con_args_flag(args, "json")) {
        (void)json_dumpf(all, stdout, JSON_INDENT(1));
        (void)fputc('\n', stdout);
    } else {
        (void)fwrite(out.ptr, 1, out.len, stdout);
    }
    json_decref(all);
    hd_buf_fini(&out);
    con_show_fini(&show);
    if (answered == 0) {
        return con_fail(HD_EXIT_RUNTIME,
                        "no program answers in %s; name the directory with "
                        "--run-dir",
                        run_dir != NULL ? run_dir : CON_RUN_DIR);
    }
    return is_well ? HD_EXIT_OK : HD_EXIT_RUNTIME;
}
