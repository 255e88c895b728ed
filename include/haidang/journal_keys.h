/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of encrypted journals (docs/formats/journal.md, "Encryption"). A key is 32 random
 * bytes in a file of its owner's: as they are, or as 64 hex digits with a line end. What
 * writes encrypts with one of them; what reads has all that are still needed. A key's id
 * comes from the key, and stands beside what was encrypted with it. Filled at start-up,
 * then immutable: any thread. Nothing here logs or prints a key.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haidang/err.h>
#include <haidang/slice.h>

#define HD_JOURNAL_KEY_LEN    32
#define HD_JOURNAL_KEY_ID_LEN 6
#define HD_JOURNAL_KEYS_MAX   256 /* in one set */

struct hd_journal_key_id {
    uint8_t byte[HD_JOURNAL_KEY_ID_LEN]; /* all zero: no key */
};

bool hd_journal_key_id_eq(const struct hd_journal_key_id *a,
                          const struct hd_journal_key_id *b);
bool hd_journal_key_id_is_none(const struct hd_journal_key_id *id);

/* The id as text: hex digits and a NUL. */
struct hd_journal_key_name {
    char text[2 * HD_JOURNAL_KEY_ID_LEN + 1];
};
struct hd_journal_key_name hd_journal_key_name(const struct hd_journal_key_id *id);

struct hd_journal_key; /* one in a set, as long as the set lives */
struct hd_journal_keys;

/* own: until hd_journal_keys_free, which wipes them. */
int hd_journal_keys_new(struct hd_journal_keys **out) HD_MUST_USE;
void hd_journal_keys_free(struct hd_journal_keys *keys);
size_t hd_journal_keys_count(const struct hd_journal_keys *keys);

/* What a key file holds. HD_EPARSE: it is no key. *out may be NULL; a key that is there
 * already is found again. HD_ELIMIT: there are too many. */
int hd_journal_keys_add(struct hd_journal_keys *keys, struct hd_slice file,
                        const struct hd_journal_key **out) HD_MUST_USE;
/* A file, which only its owner may be able to read; or "credential:NAME", a credential
 * that systemd hands to the program ($CREDENTIALS_DIRECTORY). HD_ENOENT; HD_EACCES:
 * unreadable, or others may read it, too; HD_EPARSE. */
int hd_journal_keys_load(struct hd_journal_keys *keys, const char *where,
                         const struct hd_journal_key **out) HD_MUST_USE;
/* Every NAME.key of a directory. `bad` is told each that cannot be used, as to
 * hd_journal_keys_load; the others are loaded. An error is of the directory itself. */
int hd_journal_keys_load_dir(struct hd_journal_keys *keys, const char *dir,
                             void (*bad)(void *ctx, const char *name, int err),
                             void *ctx) HD_MUST_USE;

/* What a program is configured with: for each of its journals the setting's name and
 * where it says that the key is (NULL: not encrypted); `key` is filled in. */
struct hd_journal_key_use {
    const char *setting, *where;
    const struct hd_journal_key *key;
};
/* These keys, and all of the directory `dir` (may be NULL) to read with. own: *out. `why`
 * is for people; never says anything of a key but its place. */
int hd_journal_keys_open(const char *dir, struct hd_journal_key_use *uses, size_t n,
                         struct hd_journal_keys **out, char why[256]) HD_MUST_USE;

/* NULL: it is not among them. `keys` may be NULL. */
const struct hd_journal_key *hd_journal_keys_find(const struct hd_journal_keys *keys,
                                                  const struct hd_journal_key_id *id);
struct hd_journal_key_id hd_journal_key_id(const struct hd_journal_key *key);

/* Makes a key file (mode 0600, hex digits) and says its id. HD_EEXIST: there is a file
 * already, which stays; also when somebody else makes it at the same time. */
int hd_journal_key_make(const char *path, struct hd_journal_key_id *id) HD_MUST_USE;
