/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile: how an alert becomes the message that a destination wants, as data
 * (docs/formats/profile.md). One JSON file with the mapping of each field, the tables of
 * codes, what must not leave, how answers are read, and the digest of the JSON Schema of
 * its messages. Immutable after loading; rendering is pure: no I/O, no clock, no state.
 */
#pragma once
#include <jansson.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/diag.h>
#include <haidang/err.h>
#include <haidang/inet.h>
#include <haidang/slice.h>

#define FWD_PROFILE_FILE_MAX   ((size_t)1 << 20)
#define FWD_PROFILE_FIELDS_MAX 64U
#define FWD_MESSAGE_MAX        ((size_t)256 << 10)

enum fwd_profile_status {
    FWD_PROFILE_OFFICIAL,
    FWD_PROFILE_OBSERVED,
    FWD_PROFILE_ASSUMED
};
enum fwd_auth { FWD_AUTH_NONE, FWD_AUTH_RAW_BASIC, FWD_AUTH_BASIC, FWD_AUTH_BEARER };
enum fwd_method { FWD_POST, FWD_PUT };

/* What an HTTP status means for the alert that was sent. */
enum fwd_class {
    FWD_CLASS_OK,    /* delivered */
    FWD_CLASS_RETRY, /* later, again */
    FWD_CLASS_STOP,  /* nothing more until a person has looked (401, 403) */
    FWD_CLASS_DEAD,  /* this alert will never be taken: dead letter */
};

struct fwd_profile_info {
    const char *id;
    const char *version;
    const char *name; /* "vn-ncsc-alert@0.1.0" */
    enum fwd_profile_status status;
    enum fwd_method method;
    const char *path; /* of the URL, when the configured one has none */
    const char *content_type;
    enum fwd_auth auth;
    const char *schema_file;
    char schema_sha256[65];
    int min_severity; /* alerts below are not for this destination; 1..4 */
};

struct fwd_profile;

/* Reads and checks PATH and the schema file beside it. Every problem goes to diags with
 * the file and a JSON pointer. own: *out, free with fwd_profile_free. */
int fwd_profile_load(const char *path, struct hd_diags *diags,
                     struct fwd_profile **out) HD_MUST_USE;
/* The same from memory, without the schema file; `path` is used in messages. */
int fwd_profile_parse(struct hd_slice text, const char *path, struct hd_diags *diags,
                      struct fwd_profile **out) HD_MUST_USE;
void fwd_profile_free(struct fwd_profile *profile);

const struct fwd_profile_info *fwd_profile_info(const struct fwd_profile *profile);
const char *fwd_profile_status_name(enum fwd_profile_status status); /* "observed" */
enum fwd_class fwd_profile_class(const struct fwd_profile *profile, long http_status);

/* What a destination adds: values that the receiving centre issued, and which internal
 * networks are registered with it. Borrowed. */
struct fwd_setting {
    char *name;
    char *value;
};
struct fwd_render_opts {
    const struct fwd_setting *settings;
    size_t n_settings;
    const struct hd_cidr *registered;
    size_t n_registered;
};

/* Every setting that the profile wants is there and fits, and no other. */
int fwd_profile_check_settings(const struct fwd_profile *profile,
                               const struct fwd_render_opts *opts,
                               char why[256]) HD_MUST_USE;

/* Appends the message for an alert (one that hd_alert_check accepts). HD_EPARSE: the
 * alert cannot be told in this format; `why` names the member of the message. */
int fwd_profile_render(const struct fwd_profile *profile, const json_t *alert,
                       const struct fwd_render_opts *opts, struct hd_buf *out,
                       char why[256]) HD_MUST_USE;
