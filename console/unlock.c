/* SPDX-License-Identifier: Apache-2.0 */
#include "console/unlock.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <haidang/harden.h>

static const char *text_of(int err)
{
    return err == HD_EPARSE   ? "it is no key (32 bytes, or 64 hex digits)"
           : err == HD_EACCES ? "you may not read it, or others may, too (mode 0600)"
                              : hd_err_text(err);
}

/* The others may be all that is needed. */
static void pass_bad(void *ctx, const char *name, int err)
{
    (void)con_fail(0, "the key %s/%s cannot be used and is passed over: %s",
                   (const char *)ctx, name, text_of(err));
}

static int load(struct hd_journal_keys *keys, const char *path)
{
    struct stat st;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int err =
        is_dir ? hd_journal_keys_load_dir(keys, path, pass_bad, (void *)(uintptr_t)path)
               : hd_journal_keys_load(keys, path, NULL);
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_CERT, "the key %s cannot be used: %s", path,
                                   text_of(err));
}

/* Whoever may not read these keys is told when one is needed. */
static void pass_installed(void *ctx, const char *name, int err)
{
    if (err != HD_EACCES) {
        pass_bad(ctx, name, err);
    }
}

static void load_installed(struct hd_journal_keys *keys)
{
    char dir[] = CON_UNLOCK_DIR;
    (void)!hd_journal_keys_load_dir(keys, dir, pass_installed, dir);
}

int con_unlock(const struct con_args *args, struct hd_journal_keys **out)
{
    const char *given = con_args_value(args, "unlock");
    int code = HD_EXIT_OK;
    if (hd_journal_keys_new(out) != HD_OK) {
        return con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    given = given != NULL ? given : getenv(CON_UNLOCK_ENV);
    if (given != NULL && given[0] != '\0') {
        code = load(*out, given);
    } else {
        load_installed(*out);
    }
    if (code == HD_EXIT_OK && hd_journal_keys_count(*out) > 0 &&
        hd_harden_process() != HD_OK) {
        code = con_fail(HD_EXIT_RUNTIME, "this system lets others read our memory");
    }
    if (code != HD_EXIT_OK) {
        hd_journal_keys_free(*out);
        *out = NULL;
    }
    return code;
}

const char *con_unlock_text(int err, const struct hd_journal_key_id *missing,
                            char why[CON_UNLOCK_WHY])
{
    if (err != HD_ENOKEY) {
        return hd_err_text(err);
    }
    struct hd_journal_key_name name = hd_journal_key_name(missing);
    (void)snprintf(why, CON_UNLOCK_WHY,
                   "encrypted with key %s, which is not here; name its file, or a "
                   "directory of keys, with --unlock",
                   name.text);
    return why;
}

const char *con_unlock_text_of(int err, const struct hd_journal_reader *reader,
                               char why[CON_UNLOCK_WHY])
{
    struct hd_journal_key_id missing = {{0}};
    if (err == HD_ENOKEY && reader != NULL) {
        missing = hd_journal_reader_missing_key(reader);
    }
    return con_unlock_text(err, &missing, why);
}
