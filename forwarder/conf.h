/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration of haidang-forwarder (--help-config prints the keys).
 */
#pragma once
#include <haidang/keep.h>
#include <haidang/main.h>

#include "forwarder/profile/profile.h"

enum fwd_conf_method {
    FWD_CONF_METHOD_PROFILE,
    FWD_CONF_METHOD_POST,
    FWD_CONF_METHOD_PUT
};
enum fwd_conf_scope { FWD_SCOPE_NATIONAL, FWD_SCOPE_PROVINCE };

struct fwd_conf_tls {
    char *ca, *crl, *cert, *key, *pin;
};

struct fwd_conf_destination {
    char *name, *url, *profile;
    int scope;  /* enum fwd_conf_scope */
    int method; /* enum fwd_conf_method */
    int auth;   /* 0 = the profile's, else enum fwd_auth + 1 */
    char *token_file;
    struct fwd_conf_tls tls;
    char *source_address;
    int64_t min_severity; /* 0 = the profile's */
    struct fwd_setting *settings;
    size_t n_settings;
    char **registered_networks;
    size_t n_registered_networks;
    int64_t connect_timeout, timeout;
    int64_t retry_first, retry_max, retry_after_max, stopped_retry;
};

struct fwd_conf_receipts {
    char *encryption_key; /* NULL: they are not encrypted */
    int64_t keep, segment_age;
    uint64_t max_bytes, reserve;
};

struct fwd_conf_timestamp {
    char *url; /* NULL: there is no authority */
    char *ca, *tls_ca, *policy;
    char **dirs;
    size_t n_dirs;
    int64_t timeout, retry_first, retry_max, alarm;
};

struct fwd_conf {
    struct hd_log_conf log;
    char *alerts, *state_dir, *status;
    char *seal_key; /* NULL: in state_dir */
    char *journal_keys;
    char **accept_unofficial_profile;
    size_t n_accept_unofficial_profile;
    struct fwd_conf_receipts receipts;
    struct fwd_conf_timestamp timestamp;
    struct hd_keep_stamps_conf timestamps; /* of the receipts, as is: */
    struct hd_keep_mirror_conf mirror;
    struct fwd_conf_destination *destinations;
    size_t n_destinations;
};

extern const struct hd_conf_schema fwd_conf_schema;
