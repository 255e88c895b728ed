/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files, whole. Blocking: start-up, reload and worker threads only.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include <haidang/buf.h>
#include <haidang/err.h>

/* Reads a regular file of at most `max` bytes into buf (appended). HD_ELIMIT when larger.
 */
int hd_fs_read(const char *path, size_t max, struct hd_buf *buf) HD_MUST_USE;

/* Replaces path atomically: temporary file in the same directory, fsync, rename, fsync of
 * the directory. */
int hd_fs_write_atomic(const char *path, struct hd_slice data, mode_t mode) HD_MUST_USE;

/* The same, but never in place of what is there: of several who make a file at once one
 * succeeds and the others are told HD_EEXIST. */
int hd_fs_write_new(const char *path, struct hd_slice data, mode_t mode) HD_MUST_USE;

/* mkdir -p; existing directories are fine. */
int hd_fs_mkdirs(const char *path, mode_t mode) HD_MUST_USE;

/* HD_EACCES unless it is a regular file to which group and others have no access. */
int hd_fs_check_secret(const char *path) HD_MUST_USE;

/* Calls `each` for every entry of a directory in byte order of names; stops at != 0 and
 * returns it. Hidden entries are passed over. */
int hd_fs_each(const char *dir, int (*each)(void *ctx, const char *name),
               void *ctx) HD_MUST_USE;

/* A close-on-scope-exit descriptor: HD_AUTO(fd) int fd = open(...); */
void hd_fs_close_fd(int *fd);
#define HD_AUTO_FD __attribute__((cleanup(hd_fs_close_fd)))
