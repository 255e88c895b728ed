/* SPDX-License-Identifier: Apache-2.0 */
#include "console/archive_sums.h"

#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/stamp.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP      ((size_t)256 << 10)
#define SUMS_MODE 0644

static int hash_fd(int fd, EVP_MD_CTX *hash)
{
    uint8_t *buf = malloc(STEP);
    int err = buf == NULL ? HD_ENOMEM : HD_OK;
    for (ssize_t n = 1; err == HD_OK && n != 0;) {
        n = read(fd, buf, STEP);
        if (n < 0 && errno != EINTR) {
            err = hd_err_from_errno(errno);
        } else if (n > 0 && EVP_DigestUpdate(hash, buf, (size_t)n) != 1) {
            err = HD_ENOMEM;
        }
    }
    free(buf);
    return err;
}

static int file_sum(const char *path, uint8_t out[HD_SHA256_LEN])
{
    HD_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return hd_err_from_errno(errno);
    }
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int err = hash != NULL && EVP_DigestInit_ex2(hash, EVP_sha256(), NULL) == 1
                  ? hash_fd(fd, hash)
                  : HD_ENOMEM;
    if (err == HD_OK && EVP_DigestFinal_ex(hash, out, NULL) != 1) {
        err = HD_ENOMEM;
    }
    EVP_MD_CTX_free(hash);
    return err;
}

int con_archive_same(const char *a, const char *b, bool *is_same)
{
    uint8_t sums[2][HD_SHA256_LEN];
    int err = file_sum(a, sums[0]);
    err = err == HD_OK ? file_sum(b, sums[1]) : err;
    *is_same = err == HD_OK && memcmp(sums[0], sums[1], HD_SHA256_LEN) == 0;
    return err;
}

int con_archive_alike(struct hd_check *check, const char *a, const char *b,
                      bool *is_alike)
{
    struct hd_check_segment one, other;
    int err = con_archive_same(a, b, is_alike);
    if (err != HD_OK || *is_alike) {
        return err;
    }
    err = hd_check_peek(check, a, &one);
    err = err == HD_OK ? hd_check_peek(check, b, &other) : err;
    *is_alike = err == HD_OK && one.is_stated && other.is_stated &&
                (one.is_compacted || other.is_compacted) &&
                memcmp(one.statement_sha256, other.statement_sha256, HD_SHA256_LEN) == 0;
    return err;
}

struct sums {
    const char *dir;
    struct hd_buf out;
};

static int add(struct sums *s, const char *name)
{
    char path[PATH_MAX];
    uint8_t sum[HD_SHA256_LEN];
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    int err = file_sum(path, sum);
    if (err == HD_OK) {
        hd_buf_hex(&s->out, hd_slice(sum, sizeof(sum)));
        hd_buf_printf(&s->out, "  %s\n", name);
    }
    return err;
}

struct beside {
    struct sums *sums;
    const char *dir, *end;
};

static int add_beside(void *ctx, const char *name)
{
    const struct beside *beside = ctx;
    char path[NAME_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/%s", beside->dir, name);
    return hd_slice_ends(hd_slice_str(name), hd_slice_str(beside->end))
               ? add(beside->sums, path)
               : HD_OK;
}

/* The files of a directory below, where there is one. */
static int add_dir(struct sums *s, const char *dir, const char *end)
{
    struct beside beside = {s, dir, end};
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, dir);
    int err = hd_fs_each(path, add_beside, &beside);
    return err == HD_ENOENT ? HD_OK : err;
}

int con_archive_sums(const char *dir, const struct hd_journal_segments *list)
{
    struct sums s = {.dir = dir};
    char path[PATH_MAX];
    int err = HD_OK;
    hd_buf_init(&s.out, 0);
    for (size_t i = 0; err == HD_OK && i < list->n; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%020" PRIu64 ".zst", list->first[i]);
        err = add(&s, name);
    }
    err = err == HD_OK ? add_dir(&s, "keys", ".pub") : err;
    err = err == HD_OK ? add_dir(&s, HD_STAMP_DIR, HD_STAMP_REPLY_END) : err;
    (void)snprintf(path, sizeof(path), "%s/" CON_ARCHIVE_SUMS, dir);
    err = err == HD_OK ? s.out.err : err;
    err = err == HD_OK ? hd_fs_write_atomic(path, hd_buf_slice(&s.out), SUMS_MODE) : err;
    hd_buf_fini(&s.out);
    return err;
}
