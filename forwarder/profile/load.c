/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a profile file: all problems are reported, each with its JSON pointer. Blocking
 * (start-up, reload).
 */
#include "forwarder/profile/profile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/fs.h>
#include <haidang/hash.h>

#include "forwarder/profile/profile_impl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- where we are ---- */

size_t fwd_load_enter(struct fwd_load *load, const char *key)
{
    size_t was = load->len;
    int n = snprintf(load->pointer + was, sizeof(load->pointer) - was, "/%s", key);
    if (n > 0 && (size_t)n < sizeof(load->pointer) - was) {
        load->len += (size_t)n;
    }
    load->pointer[load->len] = '\0';
    return was;
}

size_t fwd_load_enter_at(struct fwd_load *load, size_t index)
{
    char key[24];
    (void)snprintf(key, sizeof(key), "%zu", index);
    return fwd_load_enter(load, key);
}

void fwd_load_leave(struct fwd_load *load, size_t was)
{
    load->len = was;
    load->pointer[was] = '\0';
}

void fwd_load_error(struct fwd_load *load, const char *key, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    hd_diag_error(load->diags, load->file, 0, 0, "%s%s%s: %s", load->pointer,
                  key == NULL ? "" : "/", key == NULL ? "" : key, text);
}

/* ---- typed members ---- */

void fwd_load_known(struct fwd_load *load, const json_t *object, const char *const *keys,
                    size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < n && !is_known; i++) {
            is_known = strcmp(key, keys[i]) == 0;
        }
        if (!is_known) {
            const char *near = hd_diag_nearest(key, keys, n);
            fwd_load_error(load, NULL, "unknown member \"%.64s\"%s%s%s", key,
                           near == NULL ? "" : "; did you mean \"",
                           near == NULL ? "" : near, near == NULL ? "" : "\"?");
        }
    }
}

const char *fwd_load_text(struct fwd_load *load, const json_t *object, const char *key,
                          bool is_required, size_t max)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        if (is_required) {
            fwd_load_error(load, key, "is missing");
        }
        return NULL;
    }
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len == 0 || len > max) {
        fwd_load_error(load, key, "must be a text of 1 to %zu bytes", max);
        return NULL;
    }
    return json_string_value(value);
}

int64_t fwd_load_int(struct fwd_load *load, const json_t *object, const char *key,
                     int64_t min, int64_t max, int64_t absent)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        return absent;
    }
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max) {
        fwd_load_error(load, key, "must be an integer from %lld to %lld", (long long)min,
                       (long long)max);
        return absent;
    }
    return json_integer_value(value);
}

int fwd_load_word(struct fwd_load *load, const json_t *object, const char *key,
                  const char *const *words, int absent)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        return absent;
    }
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    char list[128] = "";
    size_t len = 0;
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
        int n = snprintf(list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : ", ",
                         words[i]);
        len += n > 0 && (size_t)n < sizeof(list) - len ? (size_t)n : 0;
    }
    fwd_load_error(load, key, "must be one of %s", list);
    return absent;
}

/* ---- the parts of the document ---- */

/* An object member; reported when it is missing or something else. */
static const json_t *load_object(struct fwd_load *load, const json_t *root,
                                 const char *key)
{
    const json_t *value = json_object_get(root, key);
    if (!json_is_object(value)) {
        fwd_load_error(load, key, value == NULL ? "is missing" : "must be an object");
        return NULL;
    }
    return value;
}

static bool is_name(const char *text, const char *extra)
{
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        if (!hd_is_lower(c) && !hd_is_digit(c) && strchr(extra, c) == NULL) {
            return false;
        }
    }
    return true;
}

static void load_identity(struct fwd_load *load, struct fwd_profile *profile)
{
    static const char *const statuses[] = {"official", "observed", "assumed", NULL};
    struct fwd_profile_info *info = &profile->info;
    info->id = fwd_load_text(load, profile->root, "profile_id", true, 64);
    info->version = fwd_load_text(load, profile->root, "version", true, 32);
    if (info->id != NULL && !is_name(info->id, "-")) {
        fwd_load_error(load, "profile_id", "must be of a-z, 0-9 and -");
    }
    if (info->version != NULL && !is_name(info->version, ".-")) {
        fwd_load_error(load, "version", "must be of a-z, 0-9, . and -");
    }
    if (json_object_get(profile->root, "status") == NULL) {
        fwd_load_error(load, "status", "is missing");
    }
    info->status = (enum fwd_profile_status)fwd_load_word(load, profile->root, "status",
                                                          statuses, FWD_PROFILE_ASSUMED);
    info->min_severity = (int)fwd_load_int(load, profile->root, "min_severity", 1, 4, 1);
    if (info->id != NULL && info->version != NULL &&
        asprintf(&profile->name, "%s@%s", info->id, info->version) < 0) {
        profile->name = NULL;
    }
    info->name = profile->name;
}

static void load_transport(struct fwd_load *load, struct fwd_profile *profile)
{
    static const char *const keys[] = {"method", "path", "content_type", "auth"};
    static const char *const methods[] = {"POST", "PUT", NULL};
    static const char *const auth_keys[] = {"scheme"};
    static const char *const schemes[] = {"none", "raw-basic", "basic", "bearer", NULL};
    const json_t *transport = load_object(load, profile->root, "transport");
    if (transport == NULL) {
        return;
    }
    struct fwd_profile_info *info = &profile->info;
    size_t was = fwd_load_enter(load, "transport");
    fwd_load_known(load, transport, keys, COUNT(keys));
    info->method =
        (enum fwd_method)fwd_load_word(load, transport, "method", methods, FWD_POST);
    info->path = fwd_load_text(load, transport, "path", true, 512);
    if (info->path != NULL && info->path[0] != '/') {
        fwd_load_error(load, "path", "must begin with /");
    }
    info->content_type = fwd_load_text(load, transport, "content_type", true, 128);
    const json_t *auth = json_object_get(transport, "auth");
    if (auth != NULL) {
        size_t inner = fwd_load_enter(load, "auth");
        fwd_load_known(load, auth, auth_keys, COUNT(auth_keys));
        info->auth =
            (enum fwd_auth)fwd_load_word(load, auth, "scheme", schemes, FWD_AUTH_NONE);
        fwd_load_leave(load, inner);
    }
    fwd_load_leave(load, was);
}

static void load_schema(struct fwd_load *load, struct fwd_profile *profile)
{
    static const char *const keys[] = {"file", "sha256"};
    const json_t *schema = load_object(load, profile->root, "schema");
    if (schema == NULL) {
        return;
    }
    size_t was = fwd_load_enter(load, "schema");
    fwd_load_known(load, schema, keys, COUNT(keys));
    const char *file = fwd_load_text(load, schema, "file", true, 255);
    if (file != NULL && strchr(file, '/') != NULL) {
        fwd_load_error(load, "file", "must be a file beside the profile, without a /");
    }
    profile->info.schema_file = file;
    const char *digest = fwd_load_text(load, schema, "sha256", true, 64);
    if (digest != NULL &&
        (strlen(digest) != 64 || strspn(digest, "0123456789abcdef") != 64)) {
        fwd_load_error(load, "sha256", "must be 64 lower case hex digits");
    } else if (digest != NULL) {
        memcpy(profile->info.schema_sha256, digest, 65);
    }
    fwd_load_leave(load, was);
}

static void load_enums(struct fwd_load *load, const json_t *root)
{
    const json_t *enums = json_object_get(root, "enums");
    const char *name, *key;
    json_t *table, *value;
    if (enums == NULL) {
        return;
    }
    if (!json_is_object(enums)) {
        fwd_load_error(load, "enums", "must be an object of tables");
        return;
    }
    load->enums = enums;
    size_t was = fwd_load_enter(load, "enums");
    json_object_foreach((json_t *)enums, name, table)
    {
        if (!json_is_object(table) || json_object_size(table) == 0) {
            fwd_load_error(load, name, "must be an object that is not empty");
        }
        json_object_foreach(table, key, value)
        {
            if (!json_is_integer(value) && !json_is_string(value)) {
                fwd_load_error(load, name, "\"%.64s\" must be an integer or a text", key);
            }
        }
    }
    fwd_load_leave(load, was);
}

static void load_drop(struct fwd_load *load, const json_t *drop)
{
    size_t i;
    json_t *path;
    if (!json_is_array(drop)) {
        fwd_load_error(load, "drop", "must be a list of paths");
        return;
    }
    json_array_foreach(drop, i, path)
    {
        if (!json_is_string(path) || json_string_length(path) == 0) {
            fwd_load_error(load, "drop", "entry %zu must be a path", i);
        }
    }
}

static void load_privacy(struct fwd_load *load, struct fwd_profile *profile)
{
    static const char *const keys[] = {"drop", "mask"};
    static const char *const masks[] = {"internal_ip_unregistered", NULL};
    const json_t *privacy = json_object_get(profile->root, "privacy");
    size_t i;
    json_t *rule;
    if (!json_is_array(privacy)) {
        fwd_load_error(load, "privacy",
                       privacy == NULL ? "is missing (an empty list says: nothing)"
                                       : "must be a list of rules");
        return;
    }
    load->privacy = privacy;
    size_t was = fwd_load_enter(load, "privacy");
    json_array_foreach(privacy, i, rule)
    {
        size_t inner = fwd_load_enter_at(load, i);
        fwd_load_known(load, rule, keys, COUNT(keys));
        const json_t *drop = json_object_get(rule, "drop");
        const json_t *mask = json_object_get(rule, "mask");
        if ((drop == NULL) == (mask == NULL)) {
            fwd_load_error(load, NULL, "must have either drop or mask");
        } else if (drop != NULL) {
            load_drop(load, drop);
        } else if (fwd_load_word(load, rule, "mask", masks, -1) == 0) {
            profile->mask_unregistered = true;
        }
        fwd_load_leave(load, inner);
    }
    fwd_load_leave(load, was);
}

static void load_ack(struct fwd_load *load, struct fwd_profile *profile)
{
    static const char *const keys[] = {"ok", "retry", "stop", "dead"};
    const json_t *ack = load_object(load, profile->root, "ack");
    bool seen[600] = {false};
    if (ack == NULL) {
        return;
    }
    size_t was = fwd_load_enter(load, "ack");
    fwd_load_known(load, ack, keys, COUNT(keys));
    for (size_t k = 0; k < COUNT(keys); k++) {
        const json_t *list = json_object_get(ack, keys[k]);
        size_t i;
        json_t *status;
        if (list != NULL && !json_is_array(list)) {
            fwd_load_error(load, keys[k], "must be a list of HTTP statuses");
            continue;
        }
        profile->ack[k] = list;
        json_array_foreach(list, i, status)
        {
            json_int_t code = json_is_integer(status) ? json_integer_value(status) : 0;
            if (code < 200 || code > 599 || seen[code]) {
                fwd_load_error(load, keys[k],
                               "entry %zu must be an HTTP status from 200 "
                               "to 599 that no other list has",
                               i);
            } else {
                seen[code] = true;
            }
        }
    }
    fwd_load_leave(load, was);
}

static int load_document(struct fwd_load *load, struct fwd_profile *profile)
{
    static const char *const keys[] = {
        "profile_id", "version",      "status", "title",  "provenance",
        "transport",  "framing",      "schema", "fields", "enums",
        "privacy",    "min_severity", "ack",    "notes"};
    static const char *const framings[] = {"object", "array", "ndjson", NULL};
    if (!json_is_object(profile->root)) {
        fwd_load_error(load, NULL, "must be a JSON object");
        return HD_EPARSE;
    }
    fwd_load_known(load, profile->root, keys, COUNT(keys));
    load_identity(load, profile);
    load_transport(load, profile);
    profile->framing = (unsigned)fwd_load_word(load, profile->root, "framing", framings,
                                               FWD_FRAME_OBJECT);
    load_schema(load, profile);
    load_enums(load, profile->root);
    load_privacy(load, profile);
    load_ack(load, profile);
    size_t was = fwd_load_enter(load, "fields");
    int err = fwd_fields_load(load, json_object_get(profile->root, "fields"), 0,
                              &profile->fields, &profile->n_fields);
    fwd_load_leave(load, was);
    return err;
}

int fwd_profile_parse(struct hd_slice text, const char *path, struct hd_diags *diags,
                      struct fwd_profile **out)
{
    json_error_t error;
    unsigned errors = diags->errors;
    struct fwd_profile *profile = calloc(1, sizeof(*profile));
    if (profile == NULL) {
        return HD_ENOMEM;
    }
    profile->root = json_loadb(text.len == 0 ? "" : (const char *)text.ptr, text.len,
                               JSON_REJECT_DUPLICATES, &error);
    if (profile->root == NULL && json_error_code(&error) == json_error_out_of_memory) {
        fwd_profile_free(profile);
        return HD_ENOMEM;
    }
    if (profile->root == NULL) {
        hd_diag_error(diags, path, error.line > 0 ? (unsigned)error.line : 0,
                      error.column > 0 ? (unsigned)error.column : 0, "%s", error.text);
        fwd_profile_free(profile);
        return HD_EPARSE;
    }
    struct fwd_load load = {.file = path, .diags = diags};
    int err = load_document(&load, profile);
    if (err == HD_OK && diags->errors > errors) {
        err = HD_EPARSE;
    } else if (err == HD_OK && profile->name == NULL) {
        err = HD_ENOMEM;
    }
    if (err != HD_OK) {
        fwd_profile_free(profile);
        return err;
    }
    *out = profile;
    return HD_OK;
}

/* ---- the schema file ---- */

static int check_schema_file(const struct fwd_profile *profile, const char *path,
                             struct hd_diags *diags)
{
    char file[4096];
    const char *slash = strrchr(path, '/');
    int dir_len = slash == NULL ? 0 : (int)(slash - path) + 1;
    int n =
        snprintf(file, sizeof(file), "%.*s%s", dir_len, path, profile->info.schema_file);
    if (n < 0 || (size_t)n >= sizeof(file)) {
        return HD_ELIMIT;
    }
    struct hd_buf text, hex;
    hd_buf_init(&text, FWD_PROFILE_FILE_MAX + 1);
    hd_buf_init(&hex, 0);
    uint8_t digest[HD_SHA256_LEN];
    int err = hd_fs_read(file, FWD_PROFILE_FILE_MAX, &text);
    if (err == HD_OK) {
        err = hd_sha256(hd_buf_slice(&text), digest);
    }
    if (err != HD_OK) {
        hd_diag_error(diags, path, 0, 0, "/schema/file: %s: %s", file, hd_err_text(err));
    } else {
        hd_buf_hex(&hex, hd_slice(digest, sizeof(digest)));
        if (strcmp(hd_buf_cstr(&hex), profile->info.schema_sha256) != 0) {
            hd_diag_error(diags, path, 0, 0, "/schema/sha256: %s has %s", file,
                          hd_buf_cstr(&hex));
            err = HD_EPARSE;
        }
    }
    hd_buf_fini(&text);
    hd_buf_fini(&hex);
    return err;
}

int fwd_profile_load(const char *path, struct hd_diags *diags, struct fwd_profile **out)
{
    struct hd_buf text;
    hd_buf_init(&text, FWD_PROFILE_FILE_MAX + 1);
    struct fwd_profile *profile = NULL;
    int err = hd_fs_read(path, FWD_PROFILE_FILE_MAX, &text);
    if (err != HD_OK) {
        hd_diag_error(diags, path, 0, 0, "profile: %s", hd_err_text(err));
    } else {
        err = fwd_profile_parse(hd_buf_slice(&text), path, diags, &profile);
    }
    hd_buf_fini(&text);
    if (err == HD_OK) {
        err = check_schema_file(profile, path, diags);
    }
    if (err != HD_OK) {
        fwd_profile_free(profile);
        return err;
    }
    *out = profile;
    return HD_OK;
}

void fwd_profile_free(struct fwd_profile *profile)
{
    if (profile == NULL) {
        return;
    }
    fwd_fields_free(profile->fields, profile->n_fields);
    json_decref(profile->root);
    free(profile->name);
    free(profile);
}

/* ---- asking ---- */

const struct fwd_profile_info *fwd_profile_info(const struct fwd_profile *profile)
{
    return &profile->info;
}

const char *fwd_profile_status_name(enum fwd_profile_status status)
{
    static const char *const names[] = {"official", "observed", "assumed"};
    return names[status];
}

enum fwd_class fwd_profile_class(const struct fwd_profile *profile, long http_status)
{
    for (size_t k = 0; k < COUNT(profile->ack); k++) {
        size_t i;
        json_t *status;
        json_array_foreach(profile->ack[k], i, status)
        {
            if (json_integer_value(status) == http_status) {
                return (enum fwd_class)k;
            }
        }
    }
    switch (http_status / 100) {
    case 2:
        return FWD_CLASS_OK;
    case 3:
        return FWD_CLASS_STOP; /* the address is wrong; alerts are not for elsewhere */
    case 4:
        return FWD_CLASS_DEAD;
    default:
        return FWD_CLASS_RETRY;
    }
}
