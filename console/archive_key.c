/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang archive key FILE: makes a key for journals.
 */
#include <haidang/journal_keys.h>

#include "console/command.h"

int con_run_archive_key(const struct con_args *args)
{
    const char *path = args->operands[0];
    struct hd_journal_key_id id;
    int err = hd_journal_key_make(path, &id);
    if (err != HD_OK) {
        return con_fail(HD_EXIT_STORE, "%s cannot be made: %s", path, hd_err_text(err));
    }
    struct hd_journal_key_name name = hd_journal_key_name(&id);
    (void)printf("%s  %s\n", name.text, path);
    return HD_EXIT_OK;
}
