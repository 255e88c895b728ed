/* SPDX-License-Identifier: Apache-2.0 */
#include "console/heirs.h"

#include <stddef.h>
#include <string.h>

static const struct heir {
    const char *key, *en, *vi;
} heirs[] = {
    {"kept", "changed, keeps its groups", "đã đổi, giữ nguyên các nhóm"},
    {"type", "begins anew: type changed", "đếm lại từ đầu: đổi kiểu"},
    {"window", "begins anew: window changed", "đếm lại từ đầu: đổi cửa sổ"},
    {"group-by", "begins anew: group-by changed", "đếm lại từ đầu: đổi group-by"},
    {"counted", "begins anew: what it counts changed",
     "đếm lại từ đầu: đổi luật hoặc trường được đếm"},
    {"condition", "begins anew: condition changed", "đếm lại từ đầu: đổi điều kiện"},
    {"timespan", "begins anew: timespan changed", "đếm lại từ đầu: đổi khoảng thời gian"},
    {"gone", "is gone, with its groups", "không còn nữa, các nhóm bị bỏ"},
};

const char *con_heir_text(const char *key, bool is_vietnamese)
{
    for (size_t i = 0; i < sizeof(heirs) / sizeof(heirs[0]); i++) {
        if (strcmp(heirs[i].key, key) == 0) {
            return is_vietnamese ? heirs[i].vi : heirs[i].en;
        }
    }
    return key;
}
