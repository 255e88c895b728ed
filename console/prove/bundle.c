/* SPDX-License-Identifier: Apache-2.0 */
#include "console/prove/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_STEP ((size_t)256 << 10)
#define AT_SIZE   124U
#define AT_SUM    148U
#define SIZE_LEN  11U
#define TRAILER   (2 * (uint64_t)CON_BUNDLE_BLOCK)
#define MODE      0640

static const uint8_t zeros[CON_BUNDLE_BLOCK];

uint64_t con_bundle_padding(uint64_t bytes)
{
    return (CON_BUNDLE_BLOCK - bytes % CON_BUNDLE_BLOCK) % CON_BUNDLE_BLOCK;
}

/* POSIX.1-2017, pax, "ustar Interchange Format": every field has one value but for name,
 * size and their sum. */
static void header_encode(char block[CON_BUNDLE_BLOCK], const char *name, uint64_t bytes)
{
    unsigned sum = 0;
    memset(block, 0, CON_BUNDLE_BLOCK);
    (void)snprintf(block, CON_BUNDLE_NAME_MAX, "%s", name);
    memcpy(block + 100, "0000644", 7); /* mode; then user and group */
    memcpy(block + 108, "0000000", 7);
    memcpy(block + 116, "0000000", 7);
    (void)snprintf(block + AT_SIZE, SIZE_LEN + 1, "%011llo", (unsigned long long)bytes);
    memcpy(block + 136, "00000000000", 11); /* time */
    memset(block + AT_SUM, ' ', 8);
    block[156] = '0'; /* a file */
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < CON_BUNDLE_BLOCK; i++) {
        sum += (uint8_t)block[i];
    }
    (void)snprintf(block + AT_SUM, 7, "%06o", sum);
}

static bool is_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        bool is_fine = hd_is_lower((uint8_t)*c) || hd_is_digit((uint8_t)*c) ||
                       *c == '.' || *c == '/';
        if (!is_fine) {
            return false;
        }
    }
    return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL;
}

bool con_bundle_header_decode(const char block[CON_BUNDLE_BLOCK],
                              struct con_bundle_member *member)
{
    char again[CON_BUNDLE_BLOCK];
    memcpy(member->name, block, CON_BUNDLE_NAME_MAX);
    member->bytes = 0;
    for (size_t i = 0; i < SIZE_LEN; i++) {
        member->bytes = member->bytes * 8 + ((uint8_t)block[AT_SIZE + i] & 7U);
    }
    if (member->name[CON_BUNDLE_NAME_MAX - 1] != '\0' || !is_name(member->name)) {
        return false;
    }
    header_encode(again, member->name, member->bytes);
    return memcmp(again, block, CON_BUNDLE_BLOCK) == 0;
}

/* ---- reading ---- */

static int read_all(int fd, void *to, size_t len, uint64_t at)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = pread(fd, (uint8_t *)to + got, len - got, (off_t)(at + got));
        if (n < 0 && errno != EINTR) {
            return hd_err_from_errno(errno);
        }
        if (n == 0) {
            return HD_EIO;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    return HD_OK;
}

static int HD_PRINTF(2, 3) bad(char why[CON_BUNDLE_WHY], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, CON_BUNDLE_WHY, fmt, ap);
    va_end(ap);
    return HD_ECORRUPT;
}

/* The member at *at; *at moves behind it. HD_ENOENT: the end, where it has to be. */
static int next_member(struct con_bundle *b, uint64_t *at, uint64_t size,
                       char why[CON_BUNDLE_WHY])
{
    char block[CON_BUNDLE_BLOCK], fill[CON_BUNDLE_BLOCK];
    struct con_bundle_member member;
    unsigned long long where = *at;
    if (size - *at < CON_BUNDLE_BLOCK) {
        return bad(why, "it is cut off at byte %llu", where);
    }
    int err = read_all(b->fd, block, sizeof(block), *at);
    if (err != HD_OK) {
        return err;
    }
    if (memcmp(block, zeros, sizeof(block)) == 0) {
        err = size - *at == TRAILER
                  ? read_all(b->fd, block, sizeof(block), *at + sizeof(block))
                  : HD_ECORRUPT;
        return err == HD_OK && memcmp(block, zeros, sizeof(block)) == 0
                   ? HD_ENOENT
                   : bad(why, "it does not end where it says, at byte %llu", where);
    }
    if (!con_bundle_header_decode(block, &member)) {
        return bad(why, "at byte %llu is no header as 'haidang prove' writes it", where);
    }
    member.offset = *at + CON_BUNDLE_BLOCK;
    uint64_t whole = member.bytes + con_bundle_padding(member.bytes);
    if (whole > size - member.offset) {
        return bad(why, "%s is cut off", member.name);
    }
    err = read_all(b->fd, fill, (size_t)(whole - member.bytes),
                   member.offset + member.bytes);
    if (err != HD_OK) {
        return err;
    }
    if (memcmp(fill, zeros, (size_t)(whole - member.bytes)) != 0) {
        return bad(why, "there are bytes behind %s", member.name);
    }
    if (b->n == CON_BUNDLE_MEMBERS_MAX || con_bundle_find(b, member.name) != NULL) {
        return bad(why, "%s is there twice, or one too many", member.name);
    }
    b->member[b->n++] = member;
    *at = member.offset + whole;
    return HD_OK;
}

int con_bundle_index(int fd, struct con_bundle *out, char why[CON_BUNDLE_WHY])
{
    struct stat st;
    uint64_t at = 0;
    out->fd = fd;
    out->n = 0;
    if (fstat(fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return bad(why, "it is not a regular file");
    }
    int err = HD_OK;
    while (err == HD_OK) {
        err = next_member(out, &at, (uint64_t)st.st_size, why);
    }
    return err == HD_ENOENT ? HD_OK : err;
}

const struct con_bundle_member *con_bundle_find(const struct con_bundle *b,
                                                const char *name)
{
    for (size_t i = 0; i < b->n; i++) {
        if (strcmp(b->member[i].name, name) == 0) {
            return &b->member[i];
        }
    }
    return NULL;
}

int con_bundle_read(const struct con_bundle *b, const struct con_bundle_member *member,
                    size_t max, struct hd_buf *out)
{
    if (member->bytes > max) {
        return HD_ELIMIT;
    }
    uint8_t *room = hd_buf_reserve(out, (size_t)member->bytes);
    if (room == NULL) {
        return out->err;
    }
    int err = read_all(b->fd, room, (size_t)member->bytes, member->offset);
    out->len += err == HD_OK ? (size_t)member->bytes : 0;
    return err;
}

/* ---- writing ---- */

int con_bundle_begin(struct con_bundle_writer *w, const char *path)
{
    *w = (struct con_bundle_writer){.err = HD_OK};
    int n = snprintf(w->path, sizeof(w->path), "%s", path);
    int m = snprintf(w->part, sizeof(w->part), "%s.part", path);
    if (n < 0 || m < 0 || (size_t)m >= sizeof(w->part)) {
        return HD_EINVAL;
    }
    int fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, MODE);
    w->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (w->file == NULL) {
        int err = hd_err_from_errno(errno);
        if (fd >= 0) {
            (void)close(fd);
        }
        return err;
    }
    return HD_OK;
}

void con_bundle_begin_to(struct con_bundle_writer *w, FILE *file)
{
    *w = (struct con_bundle_writer){.file = file};
}

static void put(struct con_bundle_writer *w, const void *bytes, size_t len)
{
    if (w->err == HD_OK && len > 0 && fwrite(bytes, 1, len, w->file) != len) {
        w->err = hd_err_from_errno(errno);
    }
}

static void put_header(struct con_bundle_writer *w, const char *name, uint64_t bytes)
{
    char block[CON_BUNDLE_BLOCK];
    if (bytes >= CON_BUNDLE_BYTES_MAX || strlen(name) >= CON_BUNDLE_NAME_MAX) {
        w->err = w->err == HD_OK ? HD_ELIMIT : w->err;
        return;
    }
    header_encode(block, name, bytes);
    put(w, block, sizeof(block));
}

void con_bundle_add(struct con_bundle_writer *w, const char *name, struct hd_slice bytes)
{
    put_header(w, name, bytes.len);
    put(w, bytes.ptr, bytes.len);
    put(w, zeros, (size_t)con_bundle_padding(bytes.len));
}

void con_bundle_add_part(struct con_bundle_writer *w, const char *name,
                         const struct hd_journal_part *part)
{
    uint8_t *room = malloc(COPY_STEP);
    w->err = w->err == HD_OK && room == NULL ? HD_ENOMEM : w->err;
    put_header(w, name, part->bytes);
    for (uint64_t at = 0; w->err == HD_OK && at < part->bytes;) {
        uint64_t left = part->bytes - at;
        size_t len = left < COPY_STEP ? (size_t)left : COPY_STEP;
        w->err = read_all(part->fd, room, len, part->offset + at);
        put(w, room, len);
        at += len;
    }
    put(w, zeros, (size_t)con_bundle_padding(part->bytes));
    free(room);
}

int con_bundle_end_to(struct con_bundle_writer *w)
{
    put(w, zeros, sizeof(zeros));
    put(w, zeros, sizeof(zeros));
    if (w->err == HD_OK && fflush(w->file) != 0) {
        w->err = hd_err_from_errno(errno);
    }
    return w->err;
}

int con_bundle_end(struct con_bundle_writer *w)
{
    if (con_bundle_end_to(w) == HD_OK && fsync(fileno(w->file)) != 0) {
        w->err = hd_err_from_errno(errno);
    }
    if (fclose(w->file) != 0 && w->err == HD_OK) {
        w->err = hd_err_from_errno(errno);
    }
    if (w->err == HD_OK && rename(w->part, w->path) != 0) {
        w->err = hd_err_from_errno(errno);
    }
    if (w->err != HD_OK) {
        (void)unlink(w->part);
    }
    return w->err;
}
