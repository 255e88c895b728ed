/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema. What needs other files (profiles, certificates, tokens) is checked in
 * setup.c. A data table: longer than a function may be.
 */
#include "forwarder/conf.h"

#include <stddef.h>

#include <haidang/clock.h>

#define AT(member)     .offset = offsetof(struct fwd_conf, member)
#define AT_DST(member) .offset = offsetof(struct fwd_conf_destination, member)
#define AT_TLS(member) .offset = offsetof(struct fwd_conf_tls, member)
#define AT_RCP(member) .offset = offsetof(struct fwd_conf_receipts, member)
#define AT_TST(member) .offset = offsetof(struct fwd_conf_timestamp, member)
#define AT_SET(member) .offset = offsetof(struct fwd_setting, member)
#define SECONDS(n)     ((n)*HD_NS_PER_SEC)

static const char *const scope_names[] = {"national", "province", NULL};
static const char *const method_names[] = {"profile", "POST", "PUT", NULL};
static const char *const auth_names[] = {"profile", "none",   "raw-basic",
                                         "basic",   "bearer", NULL};

static const struct hd_conf_item tls_items[] = {
    {.key = "ca",
     .type = HD_CONF_PATH,
     AT_TLS(ca),
     .help = "CA certificates that the destination's certificate must come from; without "
             "it the system's."},
    {.key = "crl",
     .type = HD_CONF_PATH,
     AT_TLS(crl),
     .help = "Revocation list of that CA."},
    {.key = "cert",
     .type = HD_CONF_PATH,
     AT_TLS(cert),
     .help = "Our client certificate, when the destination asks for one."},
    {.key = "key",
     .type = HD_CONF_PATH,
     AT_TLS(key),
     .help = "Its private key; only its owner may be able to read it."},
    {.key = "pin",
     .type = HD_CONF_STRING,
     AT_TLS(pin),
     .min = 9,
     .max = 255,
     .help = "Public key that the destination must have besides: sha256//BASE64."},
    {0}};

static const struct hd_conf_item setting_items[] = {
    {.key = "name",
     .type = HD_CONF_STRING,
     AT_SET(name),
     .min = 1,
     .max = 64,
     .required = true,
     .help = "Name of a setting that the profile asks for."},
    {.key = "value",
     .type = HD_CONF_STRING,
     AT_SET(value),
     .min = 1,
     .max = 1024,
     .required = true,
     .help = "Its value, as the receiving centre issued it."},
    {0}};

static const struct hd_conf_item destination_items[] = {
    {.key = "name",
     .type = HD_CONF_STRING,
     AT_DST(name),
     .min = 1,
     .max = 48,
     .required = true,
     .help = "Short name (a-z, 0-9, -); the position in the alerts is kept under it."},
    {.key = "url",
     .type = HD_CONF_STRING,
     AT_DST(url),
     .min = 9,
     .max = 1024,
     .required = true,
     .help = "https://HOST[:PORT][/PATH]; without a path the profile's is used. Nothing "
             "but https is accepted."},
    {.key = "profile",
     .type = HD_CONF_PATH,
     AT_DST(profile),
     .required = true,
     .help = "The profile file: how an alert becomes a message."},
    {.key = "scope",
     .type = HD_CONF_ENUM,
     AT_DST(scope),
     .names = scope_names,
     .def = "national",
     .help = "national: only alerts that may leave the province; province: all."},
    {.key = "min_severity",
     .type = HD_CONF_INT,
     AT_DST(min_severity),
     .min = 0,
     .max = 4,
     .def = "0",
     .help =
         "Alerts below are not sent (1 low ... 4 critical); 0 = as the profile says."},
    {.key = "method",
     .type = HD_CONF_ENUM,
     AT_DST(method),
     .names = method_names,
     .def = "profile",
     .help = "HTTP method, when the destination wants another than the profile's."},
    {.key = "auth",
     .type = HD_CONF_ENUM,
     AT_DST(auth),
     .names = auth_names,
     .def = "profile",
     .help =
         "How the token goes into the Authorization header; none = client certificate "
         "only."},
    {.key = "token_file",
     .type = HD_CONF_PATH,
     AT_DST(token_file),
     .help = "File with the token (for basic: user:password); refused when group or "
             "others can read it."},
    {.key = "tls",
     .type = HD_CONF_SECTION,
     AT_DST(tls),
     .sub = tls_items,
     .help = "Certificates. Verification cannot be switched off."},
    {.key = "source_address",
     .type = HD_CONF_STRING,
     AT_DST(source_address),
     .min = 2,
     .max = 45,
     .help = "Own address to send from, when the destination lists allowed addresses."},
    {.key = "settings",
     .type = HD_CONF_LIST,
     AT_DST(settings),
     .count_offset = offsetof(struct fwd_conf_destination, n_settings),
     .item_size = sizeof(struct fwd_setting),
     .sub = setting_items,
     .help = "Values that the receiving centre issued (unit, sensor, ...)."},
    {.key = "registered_networks",
     .type = HD_CONF_STRINGS,
     AT_DST(registered_networks),
     .count_offset = offsetof(struct fwd_conf_destination, n_registered_networks),
     .help = "Internal networks that are registered with the centre: their addresses are "
             "sent as they are, other internal ones masked."},
    {.key = "connect_timeout",
     .type = HD_CONF_DURATION,
     AT_DST(connect_timeout),
     .min = HD_NS_PER_MS,
     .max = SECONDS(300),
     .def = "10s",
     .help = "Until TLS is up."},
    {.key = "timeout",
     .type = HD_CONF_DURATION,
     AT_DST(timeout),
     .min = HD_NS_PER_MS,
     .max = SECONDS(600),
     .def = "30s",
     .help = "Until the answer is complete."},
    {.key = "retry_first",
     .type = HD_CONF_DURATION,
     AT_DST(retry_first),
     .min = HD_NS_PER_MS,
     .max = SECONDS(3600),
     .def = "1s",
     .help = "First wait after a failure; doubles with each, with jitter."},
    {.key = "retry_max",
     .type = HD_CONF_DURATION,
     AT_DST(retry_max),
     .min = HD_NS_PER_MS,
     .max = SECONDS(86400),
     .def = "5m",
     .help = "Longest wait after a failure."},
    {.key = "retry_after_max",
     .type = HD_CONF_DURATION,
     AT_DST(retry_after_max),
     .min = HD_NS_PER_MS,
     .max = SECONDS(86400),
     .def = "1h",
     .help = "Longest Retry-After that is honoured; a longer one is cut."},
    {.key = "stopped_retry",
     .type = HD_CONF_DURATION,
     AT_DST(stopped_retry),
     .min = 0,
     .max = SECONDS(604800),
     .def = "1h",
     .help = "After 401 or 403: try again after so long; 0 = only after a reload."},
    {0}};

static const struct hd_conf_item receipts_items[] = {
    {.key = "keep",
     .type = HD_CONF_DURATION,
     AT_RCP(keep),
     .min = 0,
     .max = SECONDS(3653LL * 86400),
     .def = "366d",
     .help = "Receipts older than this are removed; 0 = never."},
    {.key = "segment_age",
     .type = HD_CONF_DURATION,
     AT_RCP(segment_age),
     .min = 0,
     .max = SECONDS(3653LL * 86400),
     .def = "24h",
     .help =
         "A file of receipts is sealed at this age, or at 64 MiB; 0s = never by age."},
    {.key = "max_bytes",
     .type = HD_CONF_SIZE,
     AT_RCP(max_bytes),
     .def = "0",
     .help = "The receipts never take more; sending stops then. 0 = no limit."},
    {.key = "reserve",
     .type = HD_CONF_SIZE,
     AT_RCP(reserve),
     .def = "64MiB",
     .help = "Keep so much of the disk free; sending stops below."},
    {.key = "encryption_key",
     .type = HD_CONF_STRING,
     AT_RCP(encryption_key),
     .help = HD_ENCRYPTION_KEY_HELP},
    {0}};

static const struct hd_conf_item timestamp_items[] = {
    {.key = "url",
     .type = HD_CONF_STRING,
     AT_TST(url),
     .min = 8,
     .max = 1024,
     .help =
         "The time-stamping authority (RFC 3161): https://... or http://...; what it "
         "gets is a hash, and what it answers is signed. None given: no time stamps."},
    {.key = "ca",
     .type = HD_CONF_PATH,
     AT_TST(ca),
     .help =
         "Certificates (PEM) that the authority's must come from. Mandatory with url."},
    {.key = "policy",
     .type = HD_CONF_STRING,
     AT_TST(policy),
     .min = 3,
     .max = 127,
     .help = "Object identifier of the policy that stamps must name; none given: any."},
    {.key = "tls_ca",
     .type = HD_CONF_PATH,
     AT_TST(tls_ca),
     .help = "For an https:// url: CA certificates of the server; without it the "
             "system's."},
    {.key = "dirs",
     .type = HD_CONF_STRINGS,
     AT_TST(dirs),
     .count_offset = offsetof(struct fwd_conf_timestamp, n_dirs),
     .def = "/var/lib/haidang/correlator/archive/stamps, "
            "/var/lib/haidang/correlator/alerts/stamps, "
            "/var/lib/haidang/correlator/losses/stamps",
     .help =
         "Where the correlator puts its requests; the stamps are put beside them. Those "
         "for the receipts need not be named."},
    {.key = "timeout",
     .type = HD_CONF_DURATION,
     AT_TST(timeout),
     .min = HD_NS_PER_MS,
     .max = SECONDS(600),
     .def = "30s",
     .help = "Until the answer is complete."},
    {.key = "retry_first",
     .type = HD_CONF_DURATION,
     AT_TST(retry_first),
     .min = HD_NS_PER_MS,
     .max = SECONDS(3600),
     .def = "5s",
     .help = "First wait after a failure; doubles with each, with jitter."},
    {.key = "retry_max",
     .type = HD_CONF_DURATION,
     AT_TST(retry_max),
     .min = HD_NS_PER_MS,
     .max = SECONDS(86400),
     .def = "10m",
     .help = "Longest wait after a failure."},
    {.key = "alarm",
     .type = HD_CONF_DURATION,
     AT_TST(alarm),
     .min = 0,
     .max = SECONDS(86400LL * 366),
     .def = "1h",
     .help = "No stamp could be had for so long: that is reported as a problem."},
    {0}};

static const struct hd_conf_item items[] = {
    HD_LOG_CONF_ITEM(struct fwd_conf, log),
    {.key = "alerts",
     .type = HD_CONF_PATH,
     AT(alerts),
     .def = "/var/lib/haidang/correlator/alerts",
     .help = "The correlator's alert journal."},
    {.key = "state_dir",
     .type = HD_CONF_PATH,
     AT(state_dir),
     .def = "/var/lib/haidang/forwarder",
     .help = "The receipts are below it."},
    {.key = "seal_key",
     .type = HD_CONF_PATH,
     AT(seal_key),
     .help =
         "Ed25519 key (PEM, readable by its owner only) with which sealed files of the "
         "receipts are signed; made when missing, its public half beside it in "
         "FILE.pub. Default: seal.key in state_dir."},
    HD_JOURNAL_KEYS_CONF_ITEM(struct fwd_conf, journal_keys),
    {.key = "status",
     .type = HD_CONF_STRING,
     AT(status),
     .min = 1,
     .max = 255,
     .def = "unix:/run/haidang/forwarder.sock",
     .help = "Where /metrics and /status are served: unix:PATH or a loopback host:port."},
    {.key = "accept_unofficial_profile",
     .type = HD_CONF_STRINGS,
     AT(accept_unofficial_profile),
     .count_offset = offsetof(struct fwd_conf, n_accept_unofficial_profile),
     .help = "Profiles that may be used although no authority has published them, each "
             "exactly as PROFILE@VERSION."},
    {.key = "receipts",
     .type = HD_CONF_SECTION,
     AT(receipts),
     .sub = receipts_items,
     .help = "What became of each alert, kept for audits."},
    {.key = "timestamp",
     .type = HD_CONF_SECTION,
     AT(timestamp),
     .sub = timestamp_items,
     .help = "The time-stamping authority, for what the correlator and we seal."},
    HD_KEEP_STAMPS_CONF_ITEM(struct fwd_conf, timestamps),
    HD_KEEP_MIRROR_CONF_ITEM(struct fwd_conf, mirror, "the receipts."),
    {.key = "destinations",
     .type = HD_CONF_LIST,
     AT(destinations),
     .count_offset = offsetof(struct fwd_conf, n_destinations),
     .item_size = sizeof(struct fwd_conf_destination),
     .sub = destination_items,
     .required = true,
     .help = "Where alerts go. Each has its own position: one that is down does not "
             "delay another."},
    {0}};

static bool is_reader_name(const char *name)
{
    for (; *name != '\0'; name++) {
        uint8_t c = (uint8_t)*name;
        if (!hd_is_lower(c) && !hd_is_digit(c) && c != '-') {
            return false;
        }
    }
    return true;
}

static void check_timestamp(const struct fwd_conf_timestamp *conf, const char *path,
                            struct hd_diags *diags)
{
    if (strncmp(conf->url, "https://", 8) != 0 && strncmp(conf->url, "http://", 7) != 0) {
        hd_diag_error(diags, path, 0, 0,
                      "timestamp.url: %s is neither https:// nor http://", conf->url);
    }
    if (conf->ca == NULL) {
        hd_diag_error(diags, path, 0, 0,
                      "timestamp.ca is missing: whose stamps are believed");
    }
    if (conf->n_dirs == 0) {
        hd_diag_error(diags, path, 0, 0, "timestamp.dirs: there is none");
    }
}

static void check(const void *given, const char *path, struct hd_diags *diags)
{
    const struct fwd_conf *conf = given;
    if (conf->n_destinations == 0) {
        hd_diag_error(diags, path, 0, 0, "destinations: there is none");
    }
    if (conf->timestamp.url != NULL) {
        check_timestamp(&conf->timestamp, path, diags);
    } else if (conf->timestamps.enabled) {
        hd_diag_error(diags, path, 0, 0,
                      "timestamps.enabled: timestamp.url is missing: who gives them");
    }
    for (size_t i = 0; i < conf->n_destinations; i++) {
        const struct fwd_conf_destination *dest = &conf->destinations[i];
        if (!is_reader_name(dest->name)) {
            hd_diag_error(diags, path, 0, 0,
                          "destination %s: the name must be of a-z, 0-9 "
                          "and -",
                          dest->name);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(conf->destinations[k].name, dest->name) == 0) {
                hd_diag_error(diags, path, 0, 0, "destination %s is there twice",
                              dest->name);
            }
        }
        if ((dest->tls.cert == NULL) != (dest->tls.key == NULL)) {
            hd_diag_error(diags, path, 0, 0,
                          "destination %s: tls.cert and tls.key go together", dest->name);
        }
    }
}

const struct hd_conf_schema fwd_conf_schema = {
    .items = items, .size = sizeof(struct fwd_conf), .check = check};
