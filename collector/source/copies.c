/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/copies.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/array.h>
#include <haidang/bytes.h>
#include <haidang/clock.h>
#include <haidang/slice.h>

#include "collector/source/paths.h"

#define FIRST_MIN 24U /* shorter lines come again by themselves */
#define FIRST_MAX 512U
/* A rotation takes so long from its first step to the one that is noticed. */
#define SLACK_NS   (10 * HD_NS_PER_SEC)
#define OTHERS_MAX 1024U /* files with names of their own that may be copies */

/* What compressed files begin with, and how much their bytes may stand for at most. */
static const struct form {
    const char *end;
    struct hd_slice magic;
    uint64_t ratio;
} forms[] = {
    {".gz", HD_SLICE("\x1f\x8b\x08"), 1032}, /* no more is possible */
    {".xz",
     HD_SLICE("\xfd"
              "7zXZ"),
     20000},
    {".bz2", HD_SLICE("BZh"), 20000},
    {".zst", HD_SLICE("\x28\xb5\x2f\xfd"), 20000},
    {".lz4", HD_SLICE("\x04\x22\x4d\x18"), 256},
    {".Z", HD_SLICE("\x1f\x9d"), 20000},
    {".zip", HD_SLICE("PK\x03\x04"), 20000},
};
#define MAGIC_MAX 8U
#define GZ_WRAPS_AT                                                                      \
    (UINT64_C(1) << 32) /* its last four bytes are a length modulo this                  \
                         */

static const struct form *form_of(const char *name)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (hd_slice_ends(hd_slice_str(name), hd_slice_str(forms[i].end))) {
            return &forms[i];
        }
    }
    return NULL;
}

bool col_copies_is_archive(const char *name)
{
    return form_of(name) != NULL;
}

static bool path_in(const char *dir, const char *name, char out[COL_PATH_MAX])
{
    int n = snprintf(out, COL_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < COL_PATH_MAX;
}

/* Names of rotated files begin with the file's, up to its first dot at least:
 * app.log.1.gz, app-20261121.log.gz. */
bool col_copies_are_alike(const char *name, const char *of)
{
    size_t len = strcspn(of, ".");
    return len > 0 && strncmp(name, of, len) == 0;
}

/* ---- a copy ---- */

struct search {
    const char *dir, *name; /* of the original */
    const struct col_tail *original;
    const struct col_sink *sink;
    int found;
    uint64_t found_len;
    unsigned looked_into;
};

static void look_into(struct search *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        (s->found >= 0 && (uint64_t)st.st_size <= s->found_len) ||
        (st.st_ino == s->original->ino && st.st_dev == s->original->dev)) {
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    s->looked_into++;
    if (fd >= 0 && col_tail_compare(fd, s->original, s->sink) != COL_TAIL_NO_COPY) {
        int other = s->found;
        s->found = fd;
        s->found_len = (uint64_t)st.st_size;
        fd = other;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* Either among the names that are like the original's or among all others. */
static void search_dir(struct search *s, bool is_alike)
{
    char path[COL_PATH_MAX];
    unsigned others = 0;
    DIR *entries = opendir(s->dir);
    struct dirent *e = entries == NULL ? NULL : readdir(entries);
    for (; e != NULL && s->looked_into < COL_COPIES_MAX && others < OTHERS_MAX;
         e = readdir(entries)) {
        if (!col_copies_is_archive(e->d_name) &&
            col_copies_are_alike(e->d_name, s->name) == is_alike &&
            path_in(s->dir, e->d_name, path)) {
            look_into(s, path);
            others += !is_alike;
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

int col_copies_find(const char *path, const struct col_tail *original,
                    const struct col_sink *sink)
{
    char dir[COL_PATH_MAX];
    struct search s = {.dir = dir,
                       .name = col_paths_split(path, dir),
                       .original = original,
                       .sink = sink,
                       .found = -1};
    search_dir(&s, true);
    if (s.found < 0) {
        search_dir(&s, false);
    }
    return s.found;
}

/* ---- a compressed one ---- */

static bool is_made_since(const char *path, const struct stat *st, int64_t since_ns)
{
    uint64_t birth = col_tail_birth(path);
    if (birth == 0) {
        birth = (uint64_t)st->st_ctim.tv_sec * (uint64_t)HD_NS_PER_SEC;
    }
    return (int64_t)birth >= since_ns - SLACK_NS;
}

/* gzip tells how long the text is: not of more than 4 GiB, which are worth more bytes. */
static bool gz_can_hold(int fd, uint64_t size, uint64_t len)
{
    uint8_t end[4];
    if (size >= GZ_WRAPS_AT / forms[0].ratio) {
        return true;
    }
    if (size < sizeof(end) ||
        pread(fd, end, sizeof(end), (off_t)(size - sizeof(end))) != sizeof(end)) {
        return false;
    }
    struct hd_bytes in = hd_bytes(hd_slice(end, sizeof(end)));
    return hd_bytes_le32(&in) >= len;
}

/* One that we cannot read is judged by its size alone. */
static bool can_hold(const char *path, const struct form *form, uint64_t size,
                     uint64_t len)
{
    uint8_t begin[MAGIC_MAX];
    if (size <= form->magic.len || size < len / form->ratio) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return errno != ENOENT;
    }
    bool is_form = pread(fd, begin, form->magic.len, 0) == (ssize_t)form->magic.len &&
                   hd_slice_eq(hd_slice(begin, form->magic.len), form->magic) &&
                   (form != &forms[0] || gz_can_hold(fd, size, len));
    (void)close(fd);
    return is_form;
}

void col_copies_init(struct col_copies *c)
{
    *c = (struct col_copies){.dir = NULL};
}

void col_copies_fini(struct col_copies *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->names[i]);
    }
    free(c->names);
    free(c->dir);
    col_copies_init(c);
}

static void keep_name(struct col_copies *c, const char *name)
{
    char **names = hd_array_grow(c->names, c->n, sizeof(*names));
    c->names = names != NULL ? names : c->names;
    char *kept = names == NULL ? NULL : strdup(name);
    if (kept != NULL) {
        c->names[c->n++] = kept;
    }
}

static void list_archives(struct col_copies *c, const char *dir)
{
    col_copies_fini(c);
    c->read_ns = hd_clock_mono_ns();
    c->dir = strdup(dir);
    DIR *entries = opendir(dir);
    struct dirent *e = entries == NULL ? NULL : readdir(entries);
    for (; e != NULL; e = readdir(entries)) {
        if (col_copies_is_archive(e->d_name)) {
            keep_name(c, e->d_name);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

bool col_copies_is_compressed(struct col_copies *c, const struct col_copies_query *q)
{
    char dir[COL_PATH_MAX], other[COL_PATH_MAX];
    struct stat st;
    const char *name = col_paths_split(q->path, dir);
    if (c->dir == NULL || strcmp(c->dir, dir) != 0 || c->read_ns < q->gone_ns) {
        list_archives(c, dir);
    }
    for (size_t i = 0; i < c->n; i++) {
        if (col_copies_are_alike(c->names[i], name) && path_in(dir, c->names[i], other) &&
            stat(other, &st) == 0 && S_ISREG(st.st_mode) &&
            is_made_since(other, &st, q->since_ns) &&
            can_hold(other, form_of(c->names[i]), (uint64_t)st.st_size, q->len)) {
            return true;
        }
    }
    return false;
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
