/* SPDX-License-Identifier: Apache-2.0
 *
 * Structured log of a program, one line an event, to standard error (text or JSON):
 *
 *     2026-11-21T07:50:37.123Z WARN uplink: correlator lost peer="192.0.2.1:6514"
 *
 * Untrusted bytes are escaped. Each call site is limited (default 10 lines,
 * then one a second) and says how many it suppressed. Safe from any thread; never blocks
 * on the network, never ends the process.
 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/slice.h>

enum hd_log_level { HD_LOG_ERROR, HD_LOG_WARN, HD_LOG_INFO, HD_LOG_DEBUG };

enum hd_kv_type { HD_KV_T_STR, HD_KV_T_INT, HD_KV_T_UINT, HD_KV_T_ERR };

struct hd_kv {
    const char *key;
    enum hd_kv_type type;
    struct hd_slice text;
    int64_t num;
};

#define HD_KV_STR(key, cstr) ((struct hd_kv){(key), HD_KV_T_STR, hd_slice_str(cstr), 0})
#define HD_KV_SLICE(key, s)  ((struct hd_kv){(key), HD_KV_T_STR, (s), 0})
#define HD_KV_INT(key, n)                                                                \
    ((struct hd_kv){(key), HD_KV_T_INT, HD_SLICE_EMPTY, (int64_t)(n)})
#define HD_KV_UINT(key, n)                                                               \
    ((struct hd_kv){(key), HD_KV_T_UINT, HD_SLICE_EMPTY, (int64_t)(n)})
/* an HD_E* code: printed as its name and text */
#define HD_KV_ERR(code)                                                                  \
    ((struct hd_kv){"err", HD_KV_T_ERR, HD_SLICE_EMPTY, (int64_t)(code)})

struct hd_log_site {
    _Atomic int64_t full_at_ns; /* monotonic: when the burst is whole again */
    _Atomic uint32_t suppressed;
};

/* HD_LOG(WARN, "uplink", "correlator lost", HD_KV_STR("peer", p), HD_KV_ERR(err)); */
#define HD_LOG(level, module, text, ...)                                                 \
    do {                                                                                 \
        static struct hd_log_site hd_log_site_;                                          \
        const struct hd_kv hd_log_kv_[] = {{0}, ##__VA_ARGS__};                          \
        hd_log_emit(HD_LOG_##level, (module), (text), hd_log_kv_ + 1,                    \
                    sizeof(hd_log_kv_) / sizeof(hd_log_kv_[0]) - 1, &hd_log_site_);      \
    } while (0)

void hd_log_emit(enum hd_log_level level, const char *module, const char *text,
                 const struct hd_kv *kv, size_t n, struct hd_log_site *site);

#define HD_LOG_BURST 10 /* lines of a call site at once, then one a second */

struct hd_log_opts {
    enum hd_log_level level; /* less important lines are dropped */
    int json;                /* one JSON object a line instead of text */
    int fd;                  /* 2 unless a test says otherwise */
    uint32_t burst;          /* lines a call site may write at once, then one a second;
                       0 = no limit */
};
/* Once, before threads start. Without it: INFO, text, fd 2, burst 10. */
void hd_log_setup(const struct hd_log_opts *opts);
