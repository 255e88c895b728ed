/* SPDX-License-Identifier: Apache-2.0 */
#include "console/rows.h"

#include <haidang/alert.h>

#include <stdlib.h>

struct row {
    json_t *json; /* borrowed */
    size_t at;
};

static int compare(const void *a, const void *b, void *ctx)
{
    const struct con_rows_how *how = ctx;
    const struct row *x = a;
    const struct row *y = b;
    int order = how->compare(how->ctx, x->json, y->json);
    return order != 0 ? order : x->at < y->at ? -1 : 1;
}

json_t *con_rows_sorted(const json_t *all, const struct con_rows_how *how)
{
    struct con_rows_how own = *how;
    size_t n = json_array_size(all), kept = 0;
    struct row *rows = calloc(n + 1, sizeof(*rows));
    json_t *out = json_array();
    if (rows == NULL || out == NULL) {
        free(rows);
        json_decref(out);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_array_get(all, i);
        if (how->is_wanted == NULL || how->is_wanted(how->ctx, one)) {
            rows[kept++] = (struct row){one, i};
        }
    }
    qsort_r(rows, kept, sizeof(*rows), compare, &own);
    for (size_t i = 0; i < kept && i < how->top; i++) {
        (void)json_array_append(out, rows[i].json);
    }
    free(rows);
    return out;
}

int con_rows_by_number(const void *ctx, const json_t *x, const json_t *y)
{
    int64_t of_x = hd_alert_int(x, ctx, 0), of_y = hd_alert_int(y, ctx, 0);
    return of_x == of_y ? 0 : of_x > of_y ? -1 : 1;
}
