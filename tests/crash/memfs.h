/* SPDX-License-Identifier: Apache-2.0
 *
 * A file system in memory behind the journal's table of system calls, with a disk that is
 * only as far behind as a real one may be. Every file has what the page cache shows and
 * what the disk holds; sync carries dirty sectors over. A power cut keeps a random part
 * of what was never synced: sectors, some of them torn, sizes, names, each by itself. A
 * failed sync writes a random part and forgets that the rest is dirty, as Linux does. All
 * chance comes from one seed, so every run can be replayed.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "lib/journal_io.h"

struct memfs;

struct memfs_faults { /* each: one call in so many fails; 0 = never */
    uint32_t write_eio, write_enospc, write_short, sync_eio, truncate_eio, open_eio;
};

struct memfs *memfs_new(uint64_t seed);
void memfs_free(struct memfs *fs);
struct hd_io memfs_io(struct memfs *fs);
void memfs_faults_set(struct memfs *fs, const struct memfs_faults *faults);

/* It changes nothing any more after so many calls (each an error), until it is killed. */
void memfs_die_after(struct memfs *fs, uint64_t calls);
bool memfs_is_dead(const struct memfs *fs);
void memfs_live(struct memfs *fs); /* it will not die after all */
/* The process is gone: its descriptors and locks are, the page cache stays. */
void memfs_kill(struct memfs *fs);
/* The power is gone: what is on the disk is all there is. */
void memfs_power_cut(struct memfs *fs);
/* Flips one random bit of a random file whose name ends so, on the disk and in the cache,
 * below `limit` bytes of it. False: there is no such file. */
bool memfs_rot(struct memfs *fs, const char *suffix);

uint64_t memfs_random(struct memfs *fs);
/* 0 <= result < n */
uint64_t memfs_below(struct memfs *fs, uint64_t n);
