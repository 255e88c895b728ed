/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/memfs.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_CAP ((size_t)256 << 10)
#define SECTOR   64U /* smaller than real ones: more ways to be torn */
#define SECTORS  (FILE_CAP / SECTOR)
#define N_FILES  256
#define N_NAMES  256
#define N_FDS    32
#define PATH_LEN 64

struct file {
    uint8_t cache[FILE_CAP], disk[FILE_CAP];
    uint64_t cache_len, disk_len;
    uint64_t min_len; /* the shortest it was since the last sync */
    bool dirty[SECTORS];
    bool is_locked;
};

struct name {
    char path[PATH_LEN];
    struct file *cache, *disk; /* NULL = no such name */
    struct name *pair;         /* exchanged with it; not on the disk yet */
};

struct fd {
    bool is_open, is_dir;
    struct file *file;
    char path[PATH_LEN];
};

struct memfs {
    uint64_t random;
    struct memfs_faults faults;
    struct file *files[N_FILES];
    size_t n_files;
    struct name names[N_NAMES];
    size_t n_names;
    uint64_t calls_left; /* while it is dying */
    bool is_dying;
    struct fd fds[N_FDS];
};

uint64_t memfs_random(struct memfs *fs)
{
    fs->random ^= fs->random << 13;
    fs->random ^= fs->random >> 7;
    fs->random ^= fs->random << 17;
    return fs->random * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t memfs_below(struct memfs *fs, uint64_t n)
{
    return (memfs_random(fs) >> 16) % n;
}

static bool chance(struct memfs *fs, uint32_t one_in)
{
    return one_in > 0 && memfs_below(fs, one_in) == 0;
}

struct memfs *memfs_new(uint64_t seed)
{
    struct memfs *fs = calloc(1, sizeof(*fs));
    if (fs == NULL) {
        abort();
    }
    /* what one life gives back is for the next one, and not for the kernel to clear */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    fs->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 8; i++) {
        (void)memfs_random(fs);
    }
    return fs;
}

void memfs_free(struct memfs *fs)
{
    for (size_t i = 0; i < fs->n_files; i++) {
        free(fs->files[i]);
    }
    free(fs);
}

void memfs_faults_set(struct memfs *fs, const struct memfs_faults *faults)
{
    fs->faults = *faults;
}

/* ---- names ---- */

static struct name *name_find(struct memfs *fs, const char *path)
{
    for (size_t i = 0; i < fs->n_names; i++) {
        if (strcmp(fs->names[i].path, path) == 0) {
            return &fs->names[i];
        }
    }
    return NULL;
}

static struct name *name_make(struct memfs *fs, const char *path)
{
    struct name *name = name_find(fs, path);
    if (name == NULL) {
        if (fs->n_names == N_NAMES || strlen(path) >= PATH_LEN) {
            abort();
        }
        name = &fs->names[fs->n_names++];
        (void)snprintf(name->path, sizeof(name->path), "%s", path);
    }
    return name;
}

static struct file *file_make(struct memfs *fs)
{
    struct file *file = calloc(1, sizeof(*file));
    if (file == NULL || fs->n_files == N_FILES) {
        abort();
    }
    fs->files[fs->n_files++] = file;
    return file;
}

/* "a/b/./c/.." is not needed: only a trailing "/." or "/.." stands for a directory. */
static bool is_dir_path(const char *path, int flags)
{
    (void)path;
    return (flags & O_DIRECTORY) != 0;
}

static void truncate_to(struct file *file, uint64_t len)
{
    if (len < file->cache_len) {
        memset(file->cache + len, 0, file->cache_len - len);
        for (uint64_t s = (len + SECTOR - 1) / SECTOR; s < SECTORS; s++) {
            file->dirty[s] = false;
        }
    }
    file->cache_len = len;
    file->min_len = len < file->min_len ? len : file->min_len;
}

/* The process has been killed meanwhile, or is now: nothing that it asks is done. */
static bool is_dead(struct memfs *fs)
{
    fs->calls_left -= fs->calls_left > 0 ? 1 : 0;
    return fs->is_dying && fs->calls_left == 0;
}

static int fs_open(void *ctx, const char *path, int flags, int *fd)
{
    struct memfs *fs = ctx;
    *fd = -1;
    if (is_dead(fs) || chance(fs, fs->faults.open_eio)) {
        return HD_EIO;
    }
    int free_fd = 0;
    while (free_fd < N_FDS && fs->fds[free_fd].is_open) {
        free_fd++;
    }
    if (free_fd == N_FDS || strlen(path) >= PATH_LEN) {
        abort(); /* a leak of descriptors */
    }
    struct fd *open = &fs->fds[free_fd];
    *open = (struct fd){.is_open = true, .is_dir = is_dir_path(path, flags)};
    (void)snprintf(open->path, sizeof(open->path), "%s", path);
    if (!open->is_dir) {
        struct name *name = name_find(fs, path);
        if ((name == NULL || name->cache == NULL) && (flags & O_CREAT) == 0) {
            open->is_open = false;
            return HD_ENOENT;
        }
        name = name_make(fs, path);
        if (name->cache == NULL) {
            name->cache = file_make(fs);
        } else if ((flags & O_TRUNC) != 0) {
            truncate_to(name->cache, 0);
        }
        open->file = name->cache;
    }
    *fd = free_fd;
    return HD_OK;
}

static struct fd *fd_of(struct memfs *fs, int fd)
{
    if (fd < 0 || fd >= N_FDS || !fs->fds[fd].is_open) {
        abort(); /* use of a closed descriptor */
    }
    return &fs->fds[fd];
}

static void fs_close(void *ctx, int fd)
{
    struct fd *open = fd_of(ctx, fd);
    if (open->file != NULL && strstr(open->path, "lock") != NULL) {
        open->file->is_locked = false;
    }
    open->is_open = false;
}

static int fs_pread(void *ctx, int fd, struct iovec to, uint64_t at, size_t *got)
{
    struct file *file = fd_of(ctx, fd)->file;
    uint64_t left = at < file->cache_len ? file->cache_len - at : 0;
    *got = to.iov_len < left ? to.iov_len : (size_t)left;
    if (*got > 0) {
        memcpy(to.iov_base, file->cache + at, *got);
    }
    return HD_OK;
}

static void write_bytes(struct file *file, const uint8_t *from, size_t len, uint64_t at)
{
    if (at + len > FILE_CAP) {
        abort();
    }
    memcpy(file->cache + at, from, len);
    for (uint64_t s = at / SECTOR; s * SECTOR < at + len; s++) {
        file->dirty[s] = true;
    }
    file->cache_len = at + len > file->cache_len ? at + len : file->cache_len;
}

static int fs_pwritev(void *ctx, int fd, const struct iovec *iov, int n, uint64_t at,
                      size_t *put)
{
    struct memfs *fs = ctx;
    struct file *file = fd_of(fs, fd)->file;
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        total += iov[i].iov_len;
    }
    bool is_eio = chance(fs, fs->faults.write_eio);
    bool is_enospc = !is_eio && chance(fs, fs->faults.write_enospc);
    bool is_short = is_eio || is_enospc || chance(fs, fs->faults.write_short);
    size_t max = is_short ? (size_t)memfs_below(fs, total) : total;
    *put = 0;
    if (is_dead(fs)) {
        return HD_EIO;
    }
    for (int i = 0; i < n && *put < max; i++) {
        size_t len = iov[i].iov_len < max - *put ? iov[i].iov_len : max - *put;
        write_bytes(file, iov[i].iov_base, len, at + *put);
        *put += len;
    }
    if (is_eio) {
        return HD_EIO;
    }
    /* as the kernel does: what fitted is said first, the error comes with the rest */
    return (is_enospc && *put == 0) || (is_short && *put == 0) ? HD_ENOSPC : HD_OK;
}

static void sync_sector(struct file *file, uint64_t s)
{
    memcpy(file->disk + s * SECTOR, file->cache + s * SECTOR, SECTOR);
}

static void disk_resize(struct file *file, uint64_t len)
{
    if (len < file->disk_len) {
        memset(file->disk + len, 0, file->disk_len - len);
    }
    file->disk_len = len;
}

static void sync_done(struct file *file)
{
    memset(file->dirty, 0, sizeof(file->dirty));
    file->min_len = file->cache_len;
}

static void sync_file(struct memfs *fs, struct file *file, bool is_failing)
{
    if (file->min_len < file->disk_len) {
        disk_resize(file, file->min_len);
    }
    for (uint64_t s = 0; s < SECTORS; s++) {
        if (file->dirty[s] && (!is_failing || memfs_below(fs, 2) == 0)) {
            sync_sector(file, s);
        }
    }
    if (!is_failing || memfs_below(fs, 2) == 0) {
        disk_resize(file, file->cache_len);
    }
    sync_done(file);
}

static int fs_sync(void *ctx, int fd)
{
    struct memfs *fs = ctx;
    struct fd *open = fd_of(fs, fd);
    if (is_dead(fs)) {
        return HD_EIO;
    }
    bool is_failing = chance(fs, fs->faults.sync_eio);
    if (!open->is_dir) {
        sync_file(fs, open->file, is_failing);
    }
    /* names have no owner here: one directory's sync carries all of them */
    for (size_t i = 0; open->is_dir && !is_failing && i < fs->n_names; i++) {
        fs->names[i].disk = fs->names[i].cache;
        fs->names[i].pair = NULL;
    }
    return is_failing ? HD_EIO : HD_OK;
}

static int fs_truncate(void *ctx, int fd, uint64_t len)
{
    struct memfs *fs = ctx;
    if (chance(fs, fs->faults.truncate_eio)) {
        return HD_EIO;
    }
    truncate_to(fd_of(fs, fd)->file, len);
    return HD_OK;
}

static int fs_size(void *ctx, int fd, uint64_t *len)
{
    *len = fd_of(ctx, fd)->file->cache_len;
    return HD_OK;
}

static int fs_unlink(void *ctx, const char *path)
{
    struct name *name = name_find(ctx, path);
    if (is_dead(ctx)) {
        return HD_EIO;
    }
    if (name == NULL || name->cache == NULL) {
        return HD_ENOENT;
    }
    name->cache = NULL;
    return HD_OK;
}

/* The disk has both or none of it, as a journal of a file system gives. */
static int fs_exchange(void *ctx, const char *a, const char *b)
{
    struct memfs *fs = ctx;
    struct name *x = name_find(fs, a), *y = name_find(fs, b);
    if (is_dead(fs)) {
        return HD_EIO;
    }
    if (x == NULL || y == NULL || x->cache == NULL || y->cache == NULL) {
        return HD_ENOENT;
    }
    struct file *file = x->cache;
    x->cache = y->cache;
    y->cache = file;
    x->disk = x->disk == NULL ? y->cache : x->disk; /* its name came before */
    x->pair = y;
    y->pair = x;
    return HD_OK;
}

static int fs_like(void *ctx, int fd, int other)
{
    (void)fd_of(ctx, fd);
    (void)fd_of(ctx, other);
    return HD_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int fs_list(void *ctx, const char *dir, int (*each)(void *to, const char *name),
                   void *to)
{
    struct memfs *fs = ctx;
    const char *found[N_NAMES];
    size_t n = 0;
    size_t len = strlen(dir);
    for (size_t i = 0; i < fs->n_names; i++) {
        const char *path = fs->names[i].path;
        if (fs->names[i].cache != NULL && strncmp(path, dir, len) == 0 &&
            path[len] == '/' && strchr(path + len + 1, '/') == NULL) {
            found[n++] = path + len + 1;
        }
    }
    qsort(found, n, sizeof(found[0]), by_path);
    int err = HD_OK;
    for (size_t i = 0; i < n && err == HD_OK; i++) {
        err = each(to, found[i]);
    }
    return err;
}

static int fs_lock(void *ctx, int fd)
{
    struct fd *open = fd_of(ctx, fd);
    if (strstr(open->path, "lock") == NULL) {
        return HD_OK; /* a cursor: one reader at a time in these tests */
    }
    if (open->file->is_locked) {
        return HD_EBUSY;
    }
    open->file->is_locked = true;
    return HD_OK;
}

static int fs_free_bytes(void *ctx, int fd, uint64_t *bytes)
{
    (void)fd_of(ctx, fd);
    *bytes = UINT64_C(1) << 40;
    return HD_OK;
}

static int fs_mkdirs(void *ctx, const char *path, unsigned mode)
{
    (void)ctx;
    (void)path;
    (void)mode;
    return HD_OK;
}

struct hd_io memfs_io(struct memfs *fs)
{
    static const struct hd_io_ops ops = {
        .open = fs_open,
        .close = fs_close,
        .pread = fs_pread,
        .pwritev = fs_pwritev,
        .sync = fs_sync,
        .truncate = fs_truncate,
        .size = fs_size,
        .unlink = fs_unlink,
        .exchange = fs_exchange,
        .like = fs_like,
        .list = fs_list,
        .lock = fs_lock,
        .free_bytes = fs_free_bytes,
        .mkdirs = fs_mkdirs,
    };
    return (struct hd_io){&ops, fs};
}

/* ---- accidents ---- */

void memfs_die_after(struct memfs *fs, uint64_t calls)
{
    fs->is_dying = true;
    fs->calls_left = calls;
}

void memfs_live(struct memfs *fs)
{
    fs->is_dying = false;
}

bool memfs_is_dead(const struct memfs *fs)
{
    return fs->is_dying && fs->calls_left == 0;
}

void memfs_kill(struct memfs *fs)
{
    fs->is_dying = false;
    for (size_t i = 0; i < N_FDS; i++) {
        fs->fds[i].is_open = false;
    }
    for (size_t i = 0; i < fs->n_files; i++) {
        fs->files[i]->is_locked = false;
    }
}

/* The power went while the disk wrote it: its first or its last bytes are new. */
static void tear_sector(struct memfs *fs, struct file *file, uint64_t s)
{
    size_t cut = (size_t)memfs_below(fs, SECTOR + 1);
    bool is_front = memfs_below(fs, 2) == 0;
    uint64_t at = s * SECTOR + (is_front ? 0 : cut);
    memcpy(file->disk + at, file->cache + at, is_front ? cut : SECTOR - cut);
}

/* What the disk happens to hold of the sectors that were never synced, in whatever order
 * it wrote them. */
static void cut_sectors(struct memfs *fs, struct file *file)
{
    static const uint64_t runs[] = {1, 2, 8, 64, SECTORS};
    uint64_t run = runs[memfs_below(fs, sizeof(runs) / sizeof(runs[0]))];
    uint64_t odds = 1 + memfs_below(fs, 8);
    uint32_t torn = memfs_below(fs, 2) == 0 ? 4 : 0; /* one in so many */
    bool is_kept = false;
    for (uint64_t s = 0; s < SECTORS; s++) {
        if (s % run == 0) {
            is_kept = memfs_below(fs, 8) < odds;
        }
        if (file->dirty[s] && chance(fs, torn)) {
            tear_sector(fs, file, s);
        } else if (file->dirty[s] && is_kept) {
            sync_sector(file, s);
        }
    }
}

static uint64_t cut_len(struct memfs *fs, const struct file *file)
{
    uint64_t a = file->disk_len;
    uint64_t b = file->cache_len;
    switch (memfs_below(fs, 3)) {
    case 0:
        return a;
    case 1:
        return b;
    default:
        return a < b ? a + memfs_below(fs, b - a + 1) : b + memfs_below(fs, a - b + 1);
    }
}

static void cut_file(struct memfs *fs, struct file *file)
{
    bool is_shrunk = file->min_len < file->disk_len;
    if (is_shrunk && memfs_below(fs, 2) == 0) {
        /* the truncation never reached the disk, nor did anything after it */
        memcpy(file->cache, file->disk, FILE_CAP);
        file->cache_len = file->disk_len;
        sync_done(file);
        return;
    }
    if (is_shrunk) {
        disk_resize(file, file->min_len);
    }
    uint64_t len = cut_len(fs, file);
    cut_sectors(fs, file);
    if (len < FILE_CAP) {
        memset(file->disk + len, 0, FILE_CAP - len);
    }
    file->disk_len = len;
    memcpy(file->cache, file->disk, FILE_CAP);
    file->cache_len = len;
    sync_done(file);
}

void memfs_power_cut(struct memfs *fs)
{
    memfs_kill(fs);
    for (size_t i = 0; i < fs->n_names; i++) {
        struct name *name = &fs->names[i];
        bool is_kept = name->cache != name->disk && memfs_below(fs, 2) == 0;
        if (is_kept) {
            name->disk = name->cache;
        }
        if (is_kept && name->pair != NULL) {
            name->pair->disk = name->pair->cache;
        }
        if (!is_kept && name->pair != NULL) {
            name->pair->cache = name->pair->disk;
        }
        name->pair = NULL;
        name->cache = name->disk;
    }
    for (size_t i = 0; i < fs->n_files; i++) {
        cut_file(fs, fs->files[i]);
    }
}

bool memfs_rot(struct memfs *fs, const char *suffix)
{
    struct file *found[N_NAMES];
    size_t n = 0;
    for (size_t i = 0; i < fs->n_names; i++) {
        size_t len = strlen(fs->names[i].path);
        struct file *file = fs->names[i].cache;
        if (file != NULL && file->cache_len > 0 && len > strlen(suffix) &&
            strcmp(fs->names[i].path + len - strlen(suffix), suffix) == 0) {
            found[n++] = file;
        }
    }
    if (n == 0) {
        return false;
    }
    struct file *file = found[memfs_below(fs, n)];
    uint64_t at = memfs_below(fs, file->cache_len);
    uint8_t bit = (uint8_t)(1U << memfs_below(fs, 8));
    file->cache[at] ^= bit;
    file->disk[at] ^= bit;
    return true;
}
