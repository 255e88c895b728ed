/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/copies.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/slice.h>

#include "collector/source/paths.h"

#define FIRST_MIN 24U /* shorter lines come again by themselves */
#define FIRST_MAX 512U
/* A rotation takes so long from its first step to the one that is noticed. */
#define SLACK_NS (10 * HD_NS_PER_SEC)

bool col_copies_is_archive(const char *name)
{
    static const char *const ends[] = {".gz",  ".xz", ".bz2", ".zst",
                                       ".lz4", ".Z",  ".zip"};
    struct hd_slice s = hd_slice_str(name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (hd_slice_ends(s, hd_slice_str(ends[i]))) {
            return true;
        }
    }
    return false;
}

static bool path_in(const char *dir, const char *name, char out[COL_PATH_MAX])
{
    int n = snprintf(out, COL_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < COL_PATH_MAX;
}

/* ---- a copy ---- */

static bool is_candidate(const char *path, const struct col_tail *original)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size >= original->offset &&
           (st.st_ino != original->ino || st.st_dev != original->dev);
}

int col_copies_find(const char *path, const struct col_tail *original,
                    const struct col_sink *sink)
{
    char dir[COL_PATH_MAX], other[COL_PATH_MAX];
    unsigned n = 0;
    int found = -1;
    (void)col_paths_split(path, dir);
    DIR *entries = opendir(dir);
    struct dirent *e = entries == NULL ? NULL : readdir(entries);
    for (; e != NULL && found < 0 && n < COL_COPIES_MAX; e = readdir(entries)) {
        if (!col_copies_is_archive(e->d_name) && path_in(dir, e->d_name, other) &&
            is_candidate(other, original)) {
            found = open(other, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
            n++;
        }
        if (found >= 0 && !col_tail_is_copy(found, original, sink)) {
            (void)close(found);
            found = -1;
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return found;
}

/* ---- a compressed one ---- */

/* Names of rotated files begin with the file's, up to its first dot at least:
 * app.log.1.gz, app-20261121.log.gz. */
static bool begins_alike(const char *name, const char *of)
{
    size_t len = strcspn(of, ".");
    return len > 0 && strncmp(name, of, len) == 0;
}

static bool is_made_since(const char *path, int64_t since_ns)
{
    struct stat st;
    uint64_t birth = col_tail_birth(path);
    if (birth == 0 && stat(path, &st) == 0) {
        birth = (uint64_t)st.st_ctim.tv_sec * (uint64_t)HD_NS_PER_SEC;
    }
    return birth > 0 && (int64_t)birth >= since_ns - SLACK_NS;
}

bool col_copies_is_compressed(const char *path, int64_t since_ns)
{
    char dir[COL_PATH_MAX], other[COL_PATH_MAX];
    bool is_found = false;
    const char *name = col_paths_split(path, dir);
    DIR *entries = opendir(dir);
    if (entries == NULL) {
        return false;
    }
    for (struct dirent *e = readdir(entries); e != NULL && !is_found;
         e = readdir(entries)) {
        is_found = col_copies_is_archive(e->d_name) && begins_alike(e->d_name, name) &&
                   path_in(dir, e->d_name, other) && is_made_since(other, since_ns);
    }
    (void)closedir(entries);
    return is_found;
}

/* ---- older content ---- */

static bool holds(int fd, off_t at, struct hd_slice line, uint8_t *room)
{
    ssize_t n = pread(fd, room, COL_SCRATCH_LEN, at);
    return n > 0 && memmem(room, (size_t)n, line.ptr, line.len) != NULL;
}

bool col_copies_shares_line(int fd, int old, uint8_t *room)
{
    uint8_t first[FIRST_MAX];
    struct stat st;
    ssize_t n = pread(fd, first, sizeof(first), 0);
    struct hd_slice line = hd_slice(first, n > 0 ? (size_t)n : 0);
    size_t lf = hd_slice_find_byte(line, '\n');
    line = lf == HD_NPOS ? line : hd_slice_head(line, lf + 1);
    if (line.len < FIRST_MIN || fstat(old, &st) != 0) {
        return false;
    }
    return holds(old, 0, line, room) ||
           (st.st_size > (off_t)COL_SCRATCH_LEN &&
            holds(old, st.st_size - (off_t)COL_SCRATCH_LEN, line, room));
}
