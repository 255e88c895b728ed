/* SPDX-License-Identifier: Apache-2.0
 *
 * jansson calls some failed allocations a syntax error. Text that fails is therefore read
 * twice: what is bad is bad again, and bad text is rare.
 */
#include "lib/json_load.h"

int hd_json_load(struct hd_slice text, json_t **out, json_error_t *error)
{
    for (int i = 0; i < 2; i++) {
        *error = (json_error_t){0};
        *out =
            json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, error);
        if (*out != NULL) {
            return HD_OK;
        }
    }
    enum json_error_code code = json_error_code(error);
    return code == json_error_out_of_memory || code == json_error_unknown ? HD_ENOMEM
                                                                          : HD_EPARSE;
}
