/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/told.h"

bool col_told_first(struct col_told *told, const struct stat *st)
{
    size_t known = told->n < COL_TOLD_MAX ? told->n : COL_TOLD_MAX;
    for (size_t i = 0; i < known; i++) {
        if (told->file[i].dev == st->st_dev && told->file[i].ino == st->st_ino) {
            return false;
        }
    }
    size_t at = told->n++ % COL_TOLD_MAX;
    told->file[at].dev = st->st_dev;
    told->file[at].ino = st->st_ino;
    return true;
}
