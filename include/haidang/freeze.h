/* SPDX-License-Identifier: Apache-2.0
 *
 * Write-once files: what was sealed is made read-only, and, where file system and rights
 * allow, immutable (FS_IMMUTABLE_FL: not even root writes, renames or removes it before
 * that is lifted; chattr +i). Blocking.
 */
#pragma once
#include <stdbool.h>

#include <haidang/err.h>

enum hd_freeze { HD_FREEZE_OFF, HD_FREEZE_READ_ONLY, HD_FREEZE_IMMUTABLE };

/* Nobody may write it any more by its mode (0440 of 0640). Harmless when so already. */
int hd_freeze_mode(const char *path) HD_MUST_USE;
/* HD_EACCES: CAP_LINUX_IMMUTABLE is missing; HD_EUNSUPPORTED: the file system has no such
 * flag. Harmless when so already. */
int hd_freeze_flag(const char *path) HD_MUST_USE;

struct hd_frozen { /* what a lift has taken away */
    bool mode, flag;
};

/* Takes both away, so that its owner may write, rename and remove it; logged. HD_OK also
 * when there is nothing to take away. Errors as above: the file is as it was. */
int hd_freeze_lift(const char *path, struct hd_frozen *was) HD_MUST_USE;
/* What was to be done then could not be done: the file is write-once again. Logged when
 * even that fails. */
void hd_freeze_again(const char *path, const struct hd_frozen *was);
