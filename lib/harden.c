/* SPDX-License-Identifier: Apache-2.0
 *
 * Privilege is given up here, all at once and checked afterwards. Thread: main.
 */
#include <haidang/harden.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ENTRY_MAX = 16384, WHY_MAX = 256 };

static int refuse(char why[WHY_MAX], int err, const char *fmt, ...) HD_PRINTF(3, 4);
static int refuse(char why[WHY_MAX], int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, WHY_MAX, fmt, args);
    va_end(args);
    return err;
}

static bool is_given(const char *name)
{
    return name != NULL && name[0] != '\0';
}

static int find_user(const char *user, uid_t *uid, gid_t *gid, char why[WHY_MAX])
{
    char storage[ENTRY_MAX];
    struct passwd entry;
    struct passwd *found = NULL;
    int errnum = getpwnam_r(user, &entry, storage, sizeof(storage), &found);
    if (found == NULL) {
        return refuse(why, errnum == 0 ? HD_ENOENT : hd_err_from_errno(errnum),
                      "user \"%s\" does not exist", user);
    }
    *uid = entry.pw_uid;
    *gid = entry.pw_gid;
    return HD_OK;
}

static int find_group(const char *group, gid_t *gid, char why[WHY_MAX])
{
    char storage[ENTRY_MAX];
    struct group entry;
    struct group *found = NULL;
    int errnum = getgrnam_r(group, &entry, storage, sizeof(storage), &found);
    if (found == NULL) {
        return refuse(why, errnum == 0 ? HD_ENOENT : hd_err_from_errno(errnum),
                      "group \"%s\" does not exist", group);
    }
    *gid = entry.gr_gid;
    return HD_OK;
}

static int change(const char *user, uid_t uid, gid_t gid, char why[WHY_MAX])
{
    int groups = is_given(user) ? initgroups(user, gid) : setgroups(1, &gid);
    if (groups != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        int err = hd_err_from_errno(errno);
        return refuse(why, err, "cannot become user %ld, group %ld: %s", (long)uid,
                      (long)gid, hd_err_text(err));
    }
    if (uid != 0 && (setuid(0) == 0 || setgid(0) == 0)) {
        return refuse(why, HD_EBUG, "root's rights could be taken back");
    }
    return HD_OK;
}

int hd_harden_user(const char *user, const char *group, char why[WHY_MAX])
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    int err = HD_OK;
    why[0] = '\0';
    if (is_given(user)) {
        err = find_user(user, &uid, &gid, why);
    }
    if (err == HD_OK && is_given(group)) {
        err = find_group(group, &gid, why);
    }
    if (err != HD_OK ||
        (uid == getuid() && uid == geteuid() && gid == getgid() && gid == getegid())) {
        return err;
    }
    if (geteuid() != 0) {
        return refuse(why, HD_EACCES, "only root can become another user or group");
    }
    return change(user, uid, gid, why);
}

int hd_harden_process(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
        return hd_err_from_errno(errno);
    }
    return HD_OK;
}
