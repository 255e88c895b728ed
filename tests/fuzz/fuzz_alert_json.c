/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_alert_parse, hd_alert_check, hd_alert_format, the getters. What
 * parses must format and parse again to the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/alert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[256];
    json_t *alert = NULL;
    if (hd_alert_parse(hd_slice(data, size), &alert, why) != HD_OK) {
        return 0;
    }
    json_t *again = NULL;
    int64_t ns = 0;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    int err = hd_alert_format(alert, &out);
    if (err == HD_OK && (hd_alert_parse(hd_buf_slice(&out), &again, why) != HD_OK ||
                         !json_equal(alert, again))) {
        abort();
    }
    if (err != HD_OK && err != HD_ELIMIT) {
        abort();
    }
    if (hd_alert_time(alert, "time.first", &ns) != HD_OK ||
        hd_alert_text(alert, "rule.title")[0] == '\0') {
        abort();
    }
    json_decref(again);
    json_decref(alert);
    hd_buf_fini(&out);
    return 0;
}
