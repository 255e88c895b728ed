/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: fwd_profile_parse, fwd_fields_load, fwd_profile_check_settings and,
 * when the profile is good, fwd_profile_render of a fixed alert: a message must be JSON.
 */
#include <stdint.h>
#include <stdlib.h>

#include "forwarder/profile/profile.h"

static const char alert_text[] =
    "{\"version\":1,\"id\":\"5b1f3c7e-0a1b-8c2d-9e3f-000000000001\",\"severity\":3,"
    "\"time\":{\"first\":\"2026-11-21T07:50:37.123456Z\"},\"rule\":{\"title\":\"\xc4\x91 "
    "\\u0001\"},\"source\":{\"ip\":\"2001:db8::1\",\"port\":1,\"geo\":{\"lat\":16.5}},"
    "\"category\":{\"tactic\":\"TA0006\"},\"host\":{\"name\":\"web1\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_diags diags = {0};
    struct fwd_profile *profile = NULL;
    int err = fwd_profile_parse(hd_slice(data, size), "fuzz", &diags, &profile);
    if (err != HD_OK) {
        if (diags.errors == 0 && err != HD_ENOMEM) {
            abort(); /* refused without a reason */
        }
        return 0;
    }
    char name[] = "vendor_id", value[] = "v", why[256];
    const struct fwd_setting setting = {name, value};
    const struct fwd_render_opts opts = {.settings = &setting, .n_settings = 1};
    json_t *alert = json_loads(alert_text, 0, NULL);
    struct hd_buf out;
    hd_buf_init(&out, FWD_MESSAGE_MAX);
    (void)(fwd_profile_check_settings(profile, &opts, why) == HD_OK);
    (void)fwd_profile_class(profile, 200);
    if (fwd_profile_render(profile, alert, &opts, &out, why) == HD_OK) {
        json_t *message = json_loadb((const char *)out.ptr, out.len, 0, NULL);
        if (message == NULL) {
            abort();
        }
        json_decref(message);
    } else if (why[0] == '\0') {
        abort();
    }
    hd_buf_fini(&out);
    json_decref(alert);
    fwd_profile_free(profile);
    return 0;
}
