/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_alert_parse, fwd_profile_render with a profile of the shipped
 * one's shape. A message must be JSON, and hold nothing that privacy forbids.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/alert.h>

#include "forwarder/profile/profile.h"

static const char profile_text[] =
    "{\"profile_id\":\"p\",\"version\":\"1\",\"status\":\"observed\",\"transport\":{"
    "\"path\":\"/\",\"content_type\":\"application/json\"},\"schema\":{\"file\":\"x\","
    "\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"},"
    "\"fields\":[{\"out\":\"timestamp\",\"from\":\"time.first\",\"as\":\"epoch_s\","
    "\"digits\":6},{\"out\":\"signature\",\"from\":\"rule.title\",\"trunc\":8},"
    "{\"out\":\"severity\",\"from\":\"severity\",\"as\":\"integer\"},{\"out\":\"src\","
    "\"from\":\"source.ip\",\"as\":\"ip\",\"absent\":\"omit\"},{\"out\":\"port\","
    "\"from\":\"source.port\",\"as\":\"integer\",\"absent\":{\"const\":0}},{\"out\":"
    "\"domain\",\"from\":[\"dns.name\",\"tls.sni\"],\"absent\":\"omit\"},{\"out\":"
    "\"geo\","
    "\"absent\":\"omit\",\"object\":[{\"out\":\"c\",\"from\":\"source.geo.country\"},"
    "{\"out\":\"lat\",\"from\":\"source.geo.lat\",\"as\":\"number\",\"min\":-90,\"max\":"
    "90}"
    "]},{\"out\":\"tags\",\"emitted\":\"geo\"}],\"privacy\":[{\"drop\":[\"user\"]},"
    "{\"mask\":\"internal_ip_unregistered\"}],\"ack\":{}}";

static struct fwd_profile *profile(void)
{
    static struct fwd_profile *loaded;
    struct hd_diags diags = {0};
    if (loaded == NULL &&
        fwd_profile_parse(hd_slice_str(profile_text), "p", &diags, &loaded) != HD_OK) {
        abort();
    }
    return loaded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *alert = NULL;
    char why[256] = "";
    if (hd_alert_parse(hd_slice(data, size), &alert, why) != HD_OK) {
        return 0;
    }
    const struct fwd_render_opts opts = {0};
    struct hd_buf out;
    hd_buf_init(&out, FWD_MESSAGE_MAX);
    if (fwd_profile_render(profile(), alert, &opts, &out, why) == HD_OK) {
        json_t *message = json_loadb((const char *)out.ptr, out.len, 0, NULL);
        if (message == NULL || json_object_get(message, "user") != NULL) {
            abort();
        }
        json_decref(message);
    }
    hd_buf_fini(&out);
    json_decref(alert);
    return 0;
}
