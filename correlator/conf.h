/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of haidang-correlator (packaging/etc/correlator.yml).
 */
#pragma once
#include <haidang/conf.h>
#include <haidang/keep.h>
#include <haidang/program_conf.h>

struct cor_conf_journal {
    char *dir;
    char *encryption_key; /* NULL: it is not encrypted */
    uint64_t segment, retain_bytes, max_bytes, reserve;
    int64_t segment_age, retain_age;
    bool retain_unread;
    int write_once; /* enum hd_freeze */
    int64_t write_once_min;
    char *retention; /* of the archive only */
    int64_t retention_every;
};

struct cor_conf {
    struct hd_log_conf log;
    char **listen;
    size_t n_listen;
    char *state_dir;
    char *seal_key; /* NULL: in state_dir */
    char *journal_keys;
    char *status;
    struct cor_conf_tls {
        char *cert, *key, *ca, *crl;
    } tls;
    struct cor_conf_intake {
        int64_t agents_max, agents_remembered, handshakes_max, handshakes_per_second;
        int64_t handshakes_per_address;
        uint64_t memory;
        int64_t idle_timeout;
    } intake;
    struct cor_conf_journal archive, alerts, losses; /* losses.dir NULL: in state_dir */
    struct cor_conf_near_full {
        int64_t warning, alarm; /* percent; 0 = off */
    } near_full;
    struct hd_keep_stamps_conf timestamps;
    struct hd_keep_mirror_conf mirror;
    struct cor_conf_rules {
        char *decoders, *library, *local, *logsources, *placeholders, *time_zone;
        int min_level; /* index into names, see conf.c */
        char **statuses;
        size_t n_statuses;
        bool keep_going;
    } rules;
    struct cor_conf_detect {
        int64_t threads;
        uint64_t memory, rule_memory;
        int64_t lateness, warm_up, snapshot, lag_alarm;
        int64_t remember;
    } detect;
    struct cor_conf_suppress {
        int64_t window, low, medium, high, critical; /* levels: 0 = as `window` */
        int64_t entries;
    } suppress;
    struct cor_conf_noisy {
        int64_t rate, throttle; /* a minute; 0 = none */
    } noisy;
    struct cor_conf_sources {
        bool alerts;
        int64_t remember, floor, factor, learn, slow, drift, unmonitored;
    } sources;
    struct cor_conf_canary {
        char *keys; /* directory; NULL: no line is a canary */
        int64_t window, overdue;
    } canary;
    struct cor_conf_enrich {
        char *inventory, *city, *asn;
        int64_t check_every;
    } enrich;
};

extern const char *const cor_conf_levels[]; /* of rules.min_level; ended by NULL */
extern const struct hd_conf_schema cor_conf_schema;
