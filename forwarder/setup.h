/* SPDX-License-Identifier: Apache-2.0
 *
 * A destination's configuration with everything it names read and checked: profile,
 * token, certificates, address. Read aside at start and at reload; immutable.
 */
#pragma once
#include <haidang/diag.h>

#include "forwarder/conf.h"
#include "forwarder/deliver/http.h"

struct fwd_setup {
    const struct fwd_conf_destination *conf; /* borrowed */
    struct fwd_profile *profile;
    struct fwd_http_target target;
    struct fwd_render_opts render;
    struct hd_cidr *registered;
    char *url;
    char *authorization;
    int min_severity;
};

/* Every problem goes to diags. Returns an HD_EXIT_* code: HD_EXIT_REFUSED for what is
 * refused on purpose (not https, an unofficial profile that nobody accepted, a token that
 * others can read), HD_EXIT_CERT, HD_EXIT_CONFIG. own: *out with fwd_setup_free. */
int fwd_setup_load(const struct fwd_conf *conf, const struct fwd_conf_destination *dest,
                   struct hd_diags *diags, struct fwd_setup **out) HD_MUST_USE;
void fwd_setup_free(struct fwd_setup *setup);
