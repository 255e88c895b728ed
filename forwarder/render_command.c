/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder/render_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/alert.h>

#include "forwarder/profile/profile.h"

#define SETTINGS_MAX 64

/* Cuts NAME=VALUE in place. */
static int take_settings(int argc, char **argv, struct fwd_setting *out)
{
    for (int i = 0; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) {
            (void)fprintf(stderr, "render: %s is no NAME=VALUE\n", argv[i]);
            return HD_EXIT_USAGE;
        }
        *equals = '\0';
        out[i] = (struct fwd_setting){argv[i], equals + 1};
    }
    return HD_EXIT_OK;
}

static int render_line(const struct fwd_profile *profile, struct hd_slice line,
                       const struct fwd_render_opts *opts, unsigned number)
{
    json_t *alert = NULL;
    char why[256] = "";
    struct hd_buf out;
    hd_buf_init(&out, FWD_MESSAGE_MAX);
    int err = hd_alert_parse(hd_slice_trim(line), &alert, why);
    if (err == HD_OK) {
        err = fwd_profile_render(profile, alert, opts, &out, why);
        json_decref(alert);
    }
    if (err == HD_OK) {
        (void)printf("%s\n", hd_buf_cstr(&out));
    } else {
        (void)fprintf(stderr, "render: line %u: %s\n", number, why);
    }
    hd_buf_fini(&out);
    return err == HD_OK ? HD_EXIT_OK : HD_EXIT_RUNTIME;
}

static int render_all(const struct fwd_profile *profile,
                      const struct fwd_render_opts *opts)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    unsigned number = 0;
    int code = HD_EXIT_OK;
    while ((len = getline(&line, &cap, stdin)) > 0) {
        int one = render_line(profile, hd_slice(line, (size_t)len), opts, ++number);
        code = one != HD_EXIT_OK ? one : code;
    }
    free(line);
    return code;
}

int fwd_render_command(int argc, char **argv)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct fwd_setting settings[SETTINGS_MAX];
    struct fwd_profile *profile = NULL;
    char why[256] = "";
    if (argc < 1 || argc - 1 > SETTINGS_MAX) {
        (void)fprintf(stderr, "usage: haidang-forwarder render PROFILE.json [NAME=VALUE "
                              "...] < ALERTS\n");
        return HD_EXIT_USAGE;
    }
    int code = take_settings(argc - 1, argv + 1, settings);
    if (code != HD_EXIT_OK) {
        return code;
    }
    if (fwd_profile_load(argv[0], &diags, &profile) != HD_OK) {
        return HD_EXIT_CONFIG;
    }
    const struct fwd_render_opts opts = {.settings = settings,
                                         .n_settings = (size_t)argc - 1};
    if (fwd_profile_check_settings(profile, &opts, why) != HD_OK) {
        (void)fprintf(stderr, "render: %s\n", why);
        code = HD_EXIT_CONFIG;
    } else {
        code = render_all(profile, &opts);
    }
    fwd_profile_free(profile);
    return code;
}
