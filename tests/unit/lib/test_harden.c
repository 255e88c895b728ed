/* SPDX-License-Identifier: Apache-2.0
 *
 * Each case runs in a child, since there is no way back.
 */
#include "tests/support/support.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haidang/harden.h>

static int in_child(int (*body)(void))
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(body());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int closes_the_process(void)
{
    struct rlimit limit = {1, 1};
    if (hd_harden_process() != HD_OK || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
        prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || getrlimit(RLIMIT_CORE, &limit) != 0) {
        return 1;
    }
    return limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : 2;
}

static void process(void **state)
{
    (void)state;
    assert_int_equal(in_child(closes_the_process), 0);
}

static int becomes_nobody(void)
{
    char why[256];
    const struct passwd *nobody = getpwnam("nobody");
    gid_t groups[64];
    if (nobody == NULL || hd_harden_user("nobody", NULL, why) != HD_OK) {
        return 1;
    }
    int n = getgroups(64, groups);
    for (int i = 0; i < n; i++) {
        if (groups[i] == 0) {
            return 2;
        }
    }
    if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid ||
        getgid() != nobody->pw_gid || setuid(0) == 0) {
        return 3;
    }
    /* a second time there is nothing to do; another user is out of reach */
    return hd_harden_user("nobody", NULL, why) == HD_OK &&
                   hd_harden_user("root", NULL, why) == HD_EACCES
               ? 0
               : 4;
}

static int becomes_a_group(void)
{
    char why[256];
    return hd_harden_user(NULL, "nogroup", why) == HD_OK && getuid() == 0 &&
                   getgid() != 0 && getegid() == getgid()
               ? 0
               : 1;
}

static void user_and_group(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        hd_test_skip("needs root");
    }
    assert_int_equal(in_child(becomes_nobody), 0);
    if (getgrnam("nogroup") != NULL) {
        assert_int_equal(in_child(becomes_a_group), 0);
    }
}

static void who_does_not_exist(void **state)
{
    (void)state;
    char why[256] = "";
    assert_int_equal(hd_harden_user("no-such-user", NULL, why), HD_ENOENT);
    assert_string_equal(why, "user \"no-such-user\" does not exist");
    assert_int_equal(hd_harden_user(NULL, "no-such-group", why), HD_ENOENT);
    assert_int_equal(hd_harden_user(NULL, "", why), HD_OK);
    assert_string_equal(why, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process),
        cmocka_unit_test(user_and_group),
        cmocka_unit_test(who_does_not_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
