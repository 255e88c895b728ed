/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_stamp_time, hd_stamp_verify, hd_stamp_verify_reply, and in them
 * OpenSSL's decoding of what a time-stamping authority answers. With an authority that
 * vouches for nothing nothing verifies.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/stamp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A self-signed certificate that is good for nothing. */
static struct hd_stamp_ca *load(void)
{
    static struct hd_stamp_ca *ca; /* lint: global read once */
    if (ca == NULL &&
        hd_stamp_ca_load(HD_SOURCE_DIR "/tests/fuzz/stamp_ca.crt", &ca) != HD_OK) {
        abort();
    }
    return ca;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t digest[HD_SHA256_LEN] = {1, 2, 3};
    struct hd_slice reply = hd_slice(data, size);
    struct hd_buf request;
    char why[HD_STAMP_WHY] = "";
    int64_t time_ns = -1;
    hd_buf_init(&request, 0);
    if (hd_stamp_request(digest, &request) != HD_OK ||
        (hd_stamp_time(reply, &time_ns) == HD_OK && time_ns < 0) ||
        hd_stamp_verify(load(), digest, reply, &time_ns, why) == HD_OK ||
        hd_stamp_verify_reply(load(), hd_buf_slice(&request), NULL, reply, why) ==
            HD_OK ||
        hd_stamp_verify_reply(load(), reply, NULL, reply, why) == HD_OK ||
        why[0] == '\0') {
        abort();
    }
    hd_buf_fini(&request);
    return 0;
}
