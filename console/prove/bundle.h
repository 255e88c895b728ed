/* SPDX-License-Identifier: Apache-2.0
 *
 * The container of a proof (docs/formats/bundle.md): a tar archive (POSIX.1, ustar) of
 * plain files that `tar x` opens. Of one content there is one container: every header is
 * the one that we write, so whatever differs is damage and is refused. Reading unpacks
 * nothing; members are where they are in the file. Blocking; one thread.
 */
#pragma once
#include <stdio.h>

#include <haidang/buf.h>
#include <haidang/journal_part.h>

#define CON_BUNDLE_BLOCK       512U
#define CON_BUNDLE_MEMBERS_MAX 2048U
#define CON_BUNDLE_NAME_MAX    48U
#define CON_BUNDLE_BYTES_MAX   (UINT64_C(1) << 33) /* of a member: 11 octal digits */
#define CON_BUNDLE_WHY         256U

struct con_bundle_member {
    char name[CON_BUNDLE_NAME_MAX];
    uint64_t offset, bytes; /* of its content in the file */
};

struct con_bundle {
    int fd; /* borrowed */
    size_t n;
    struct con_bundle_member member[CON_BUNDLE_MEMBERS_MAX];
};

/* HD_ECORRUPT: it is no such container; `why` says where and what. HD_EIO. */
int con_bundle_index(int fd, struct con_bundle *out,
                     char why[CON_BUNDLE_WHY]) HD_MUST_USE;
/* NULL: there is none of this name. */
const struct con_bundle_member *con_bundle_find(const struct con_bundle *bundle,
                                                const char *name);
/* The content, appended. HD_ELIMIT: more than `max` bytes; HD_EIO. */
int con_bundle_read(const struct con_bundle *bundle,
                    const struct con_bundle_member *member, size_t max,
                    struct hd_buf *out) HD_MUST_USE;

/* A header as we write it, and nothing else; name and length into `member`. */
bool con_bundle_header_decode(const char block[CON_BUNDLE_BLOCK],
                              struct con_bundle_member *member);
/* Zeros behind a content of so many bytes. */
uint64_t con_bundle_padding(uint64_t bytes);

/* ---- writing ---- */

struct con_bundle_writer {
    FILE *file;
    int err; /* sticky */
    char path[4096], part[4096];
};

/* Under the name PATH.part until the end. */
int con_bundle_begin(struct con_bundle_writer *writer, const char *path) HD_MUST_USE;
void con_bundle_add(struct con_bundle_writer *writer, const char *name,
                    struct hd_slice bytes);
void con_bundle_add_part(struct con_bundle_writer *writer, const char *name,
                         const struct hd_journal_part *part);
/* Durable and under its name, or not there. */
int con_bundle_end(struct con_bundle_writer *writer) HD_MUST_USE;

/* The same to an open file, such as a pipe; it stays open. */
void con_bundle_begin_to(struct con_bundle_writer *writer, FILE *file);
int con_bundle_end_to(struct con_bundle_writer *writer) HD_MUST_USE;
