/* SPDX-License-Identifier: Apache-2.0
 *
 * The program's log. A line is built on the stack and leaves in one write(2), so lines of
 * several threads never mix and logging works when memory is gone. The options are the
 * only state: set once, before threads start, and constant from then on. Thread: any.
 */
#include <haidang/log.h>

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/json.h>
#include <haidang/utf8.h>

enum {
    LINE_MAX_BYTES = 8192,
    TAIL_BYTES = 64,  /* kept free for what ends a line */
    VALUE_MAX = 1024, /* bytes of one value before escaping */
};

static struct hd_log_opts options = {HD_LOG_INFO, 0, STDERR_FILENO, /* lint: global */
                                     HD_LOG_BURST};

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
static const char *const level_names_json[] = {"error", "warn", "info", "debug"};

void hd_log_setup(const struct hd_log_opts *opts)
{
    options = *opts;
}

/* A bucket of `burst` tokens, one new each second, kept as the time when it will be full
 * again: one atomic, no lock. */
static bool may_write(struct hd_log_site *site)
{
    if (options.burst == 0) {
        return true;
    }
    int64_t now = hd_clock_mono_ns();
    int64_t room = (int64_t)options.burst * HD_NS_PER_SEC;
    int64_t full = atomic_load_explicit(&site->full_at_ns, memory_order_relaxed);
    for (;;) {
        int64_t next = (full > now ? full : now) + HD_NS_PER_SEC;
        if (next - now > room) {
            atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(&site->full_at_ns, &full, next,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
}

/* ---- text ---- */

/* Escapes for people: what hd_utf8_escape does, and the quote that ends the value. */
static void add_quoted(struct hd_buf *out, struct hd_slice value)
{
    struct hd_slice rest = hd_slice_head(value, VALUE_MAX);
    struct hd_slice part;
    bool first = true;
    hd_buf_byte(out, '"');
    while (hd_slice_split(&rest, '"', &part)) {
        if (!first) {
            hd_buf_str(out, "\\\"");
        }
        hd_utf8_escape(out, part);
        first = false;
    }
    hd_buf_str(out, value.len > VALUE_MAX ? "...\"" : "\"");
}

static void text_pair(struct hd_buf *out, const struct hd_kv *kv)
{
    hd_buf_byte(out, ' ');
    hd_buf_str(out, kv->key);
    hd_buf_byte(out, '=');
    switch (kv->type) {
    case HD_KV_T_STR:
        add_quoted(out, kv->text);
        break;
    case HD_KV_T_INT:
        hd_buf_i64(out, kv->num);
        break;
    case HD_KV_T_UINT:
        hd_buf_u64(out, (uint64_t)kv->num);
        break;
    case HD_KV_T_ERR:
        hd_buf_str(out, hd_err_name((int)kv->num));
        hd_buf_str(out, " (");
        hd_buf_str(out, hd_err_text((int)kv->num));
        hd_buf_byte(out, ')');
        break;
    }
}

/* ---- JSON ---- */

static void json_pair(struct hd_json *j, const struct hd_kv *kv)
{
    switch (kv->type) {
    case HD_KV_T_STR:
        hd_json_str(j, kv->key, hd_slice_head(kv->text, VALUE_MAX));
        break;
    case HD_KV_T_INT:
        hd_json_i64(j, kv->key, kv->num);
        break;
    case HD_KV_T_UINT:
        hd_json_u64(j, kv->key, (uint64_t)kv->num);
        break;
    case HD_KV_T_ERR:
        hd_json_cstr(j, kv->key, hd_err_name((int)kv->num));
        hd_json_cstr(j, "err_text", hd_err_text((int)kv->num));
        break;
    }
}

struct line {
    struct hd_buf buf;
    struct hd_json json;
};

static void line_begin(struct line *line, enum hd_log_level level, const char *module,
                       const char *text)
{
    char time[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(hd_clock_wall_ns(), 3, time);
    if (options.json) {
        line->json = hd_json(&line->buf);
        hd_json_object(&line->json, NULL);
        hd_json_cstr(&line->json, "time", time);
        hd_json_cstr(&line->json, "level", level_names_json[level]);
        hd_json_cstr(&line->json, "module", module);
        hd_json_str(&line->json, "text", hd_slice_head(hd_slice_str(text), VALUE_MAX));
    } else {
        hd_buf_printf(&line->buf, "%s %s %s: %.*s", time, level_names[level], module,
                      VALUE_MAX, text);
    }
}

/* A pair that does not fit leaves the line as it was before it. */
static bool line_add(struct line *line, const struct hd_kv *kv)
{
    size_t before = line->buf.len;
    if (options.json) {
        json_pair(&line->json, kv);
    } else {
        text_pair(&line->buf, kv);
    }
    if (line->buf.err == 0) {
        return true;
    }
    line->buf.err = 0;
    line->buf.len = before;
    return false;
}

static void line_write(struct line *line)
{
    if (options.json) {
        hd_json_end(&line->json, '}');
    }
    hd_buf_byte(&line->buf, '\n');
    ssize_t written;
    do {
        written = write(options.fd, line->buf.ptr, line->buf.len);
    } while (written < 0 && errno == EINTR);
}

void hd_log_emit(enum hd_log_level level, const char *module, const char *text,
                 const struct hd_kv *kv, size_t n, struct hd_log_site *site)
{
    if (level > options.level || !may_write(site)) {
        return;
    }
    int saved_errno = errno;
    uint8_t storage[LINE_MAX_BYTES];
    struct line line = {.buf = hd_buf_fixed(storage, sizeof(storage) - TAIL_BYTES)};
    bool fits = true;
    line_begin(&line, level, module, text);
    for (size_t i = 0; i < n && fits; i++) {
        fits = line_add(&line, &kv[i]);
    }
    line.buf.cap = sizeof(storage);
    line.buf.max = sizeof(storage);
    if (!fits) {
        (void)line_add(&line, &HD_KV_INT("truncated", 1));
    }
    uint32_t suppressed =
        atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed);
    if (suppressed > 0) {
        (void)line_add(&line, &HD_KV_UINT("suppressed", suppressed));
    }
    line_write(&line);
    errno = saved_errno;
}
