/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the journal share: entries whose content says which they are.
 */
#pragma once
#include "tests/support/support.h"

#include <haidang/journal.h>

/* First in main(): temporary directories in memory where there is such a place. These
 * tests are about bytes; what a sync is worth is for tests/crash to show. */
void hd_test_in_memory(void);

/* Entry number n: some lines of text that only it has, meta, times, counts. Static. */
struct hd_journal_entry hd_test_entry(uint64_t n);
/* Fails the test unless `entry` is hd_test_entry(n), whole. */
void hd_test_entry_check(const struct hd_journal_entry *entry, uint64_t n);

struct hd_journal *hd_test_journal(const char *dir);
/* Appends entries from..to and commits. */
void hd_test_append(struct hd_journal *j, uint64_t from, uint64_t to);
struct hd_journal_reader *hd_test_reader(const char *dir, const char *name);
/* Reads entries from..to and nothing after them. */
void hd_test_read(struct hd_journal_reader *r, uint64_t from, uint64_t to);

/* "DIR/NAME"; static, two in turn. */
const char *hd_test_path(const char *dir, const char *name);
/* The whole file; the caller frees. */
uint8_t *hd_test_slurp(const char *path, size_t *len);
void hd_test_spill(const char *path, const uint8_t *data, size_t len);
