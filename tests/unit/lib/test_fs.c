/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/alloc.h"
#include <haidang/fs.h>

static const char *in_dir(const char *dir, const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *at = path[next++ % 4];
    (void)snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
    return at;
}

static void writes_and_reads(void **state)
{
    (void)state;
    const char *file = in_dir(hd_test_tmpdir(), "f");
    struct hd_buf buf;
    struct stat st;
    hd_buf_init(&buf, 0);
    assert_int_equal(hd_fs_write_atomic(file, HD_SLICE("one"), 0600), HD_OK);
    assert_int_equal(hd_fs_write_atomic(file, HD_SLICE("two\0!"), 0640), HD_OK);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(hd_fs_read(file, 5, &buf), HD_OK);
    assert_true(hd_slice_eq(hd_buf_slice(&buf), HD_SLICE("two\0!")));
    assert_int_equal(hd_fs_read(file, 4, &buf), HD_ELIMIT);
    assert_int_equal(buf.len, 5);
    hd_buf_fini(&buf);
}

static void reads_what_has_no_size(void **state)
{
    (void)state;
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    assert_int_equal(hd_fs_read("/proc/self/status", 1 << 20, &buf), HD_OK);
    assert_true(buf.len > 100);
    hd_buf_clear(&buf);
    assert_int_equal(hd_fs_read("/proc/self/status", 10, &buf), HD_ELIMIT);
    assert_int_equal(buf.len, 0);
    hd_buf_fini(&buf);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    assert_int_equal(mkfifo(in_dir(dir, "fifo"), 0600), 0);
    assert_int_equal(hd_fs_read(in_dir(dir, "fifo"), 10, &buf), HD_EINVAL);
    assert_int_equal(hd_fs_read(dir, 10, &buf), HD_EINVAL);
    assert_int_equal(hd_fs_read(in_dir(dir, "none"), 10, &buf), HD_ENOENT);
    assert_int_equal(hd_fs_write_atomic(in_dir(dir, "no/f"), HD_SLICE("x"), 0600),
                     HD_ENOENT);
    hd_buf_fini(&buf);
}

static void failed_write_leaves_nothing(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    assert_int_equal(hd_fs_mkdirs(in_dir(dir, "target/inner"), 0755), HD_OK);
    /* a directory stands where the file should go: the rename fails */
    assert_true(hd_fs_write_atomic(in_dir(dir, "target"), HD_SLICE("x"), 0600) < 0);
    assert_int_equal(unlink(in_dir(dir, "target")), -1);
    assert_int_equal(rmdir(in_dir(dir, "target/inner")), 0);
    assert_int_equal(rmdir(in_dir(dir, "target")), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
}

static void makes_directories(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    assert_int_equal(hd_fs_mkdirs(in_dir(dir, "a/b//c/"), 0755), HD_OK);
    assert_int_equal(hd_fs_mkdirs(in_dir(dir, "a/b/c"), 0755), HD_OK);
    assert_int_equal(hd_fs_mkdirs("/", 0755), HD_OK);
    assert_int_equal(hd_fs_mkdirs("", 0755), HD_EINVAL);
    assert_int_equal(hd_fs_write_atomic(in_dir(dir, "file"), HD_SLICE(""), 0644), HD_OK);
    assert_int_equal(hd_fs_mkdirs(in_dir(dir, "file"), 0755), HD_EEXIST);
    assert_true(hd_fs_mkdirs(in_dir(dir, "file/x"), 0755) < 0);
}

static void secrets(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    const char *file = in_dir(dir, "key");
    assert_int_equal(hd_fs_write_atomic(file, HD_SLICE("k"), 0600), HD_OK);
    assert_int_equal(hd_fs_check_secret(file), HD_OK);
    assert_int_equal(chmod(file, 0640), 0);
    assert_int_equal(hd_fs_check_secret(file), HD_EACCES);
    assert_int_equal(hd_fs_check_secret(dir), HD_EACCES);
    assert_int_equal(hd_fs_check_secret(in_dir(dir, "none")), HD_ENOENT);
}

struct names {
    char joined[256];
    int stop_at;
};

static int take_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    size_t len = strlen(names->joined);
    (void)snprintf(names->joined + len, sizeof(names->joined) - len, "%s ", name);
    return --names->stop_at == 0 ? 7 : 0;
}

static void lists_in_byte_order(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    static const char *const files[] = {"b", "a", "Z", ".hidden", "\xc4\x91"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(hd_fs_write_atomic(in_dir(dir, files[i]), HD_SLICE(""), 0600),
                         0);
    }
    struct names names = {.stop_at = 0};
    assert_int_equal(hd_fs_each(dir, take_name, &names), HD_OK);
    assert_string_equal(names.joined, "Z a b \xc4\x91 ");
    names = (struct names){.stop_at = 2};
    assert_int_equal(hd_fs_each(dir, take_name, &names), 7);
    assert_string_equal(names.joined, "Z a ");
    assert_int_equal(hd_fs_each(in_dir(dir, "none"), take_name, &names), HD_ENOENT);
}

static int count_name(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return 0;
}

static void out_of_memory(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    const char *file = in_dir(dir, "f");
    assert_int_equal(hd_fs_write_atomic(file, HD_SLICE("data"), 0600), HD_OK);
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_buf buf;
        int names = 0;
        hd_buf_init(&buf, 0);
        int read = hd_fs_read(file, 10, &buf);
        int list = hd_fs_each(dir, count_name, &names);
        hd_test_alloc_stop();
        assert_true(read == HD_OK || read == HD_ENOMEM);
        assert_true(list == HD_ENOMEM || (list == HD_OK && names == 1));
        assert_int_equal(read != HD_OK || list != HD_OK, hd_test_alloc_failed());
        hd_buf_fini(&buf);
    }
}

static void descriptor_closes_itself(void **state)
{
    (void)state;
    int copy = -1;
    {
        HD_AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        copy = fd;
        assert_true(fcntl(copy, F_GETFD) >= 0);
    }
    assert_int_equal(fcntl(copy, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(reads_what_has_no_size),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(failed_write_leaves_nothing),
        cmocka_unit_test(makes_directories),
        cmocka_unit_test(secrets),
        cmocka_unit_test(lists_in_byte_order),
        cmocka_unit_test(descriptor_closes_itself),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
