/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/intake/recover.h"

#include <stdio.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/num.h>

#include "collector/metrics.h"

struct replay {
    struct col_state *state;
    struct col_marks *marks;
    struct hd_journal_cursor newest; /* the newest entry that verifies */
    uint64_t entries;
};

static void path_of(char out[COL_STATE_PATH_MAX], const char *dir, const char *name)
{
    (void)snprintf(out, COL_STATE_PATH_MAX, "%s/%s", dir, name);
}

/* A state file that does not verify is set aside: the spool's newest entries still tell
 * most positions, and an agent that does not start collects nothing at all. */
static void set_aside(const char *path, int err)
{
    char bad[COL_STATE_PATH_MAX + 8];
    (void)snprintf(bad, sizeof(bad), "%s.bad", path);
    (void)rename(path, bad);
    HD_LOG(
        ERROR, "intake",
        "the state file does not verify and was set aside; positions of idle files are "
        "lost",
        HD_KV_STR("kept_as", bad), HD_KV_ERR(err));
}

static int read_state(const char *state_dir, struct col_state *state,
                      struct col_marks *marks, char why[256])
{
    char path[COL_STATE_PATH_MAX];
    struct hd_buf text;
    hd_buf_init(&text, COL_STATE_MAX);
    path_of(path, state_dir, COL_STATE_FILE);
    *state = (struct col_state){0};
    int err = hd_fs_read(path, COL_STATE_MAX, &text);
    if (err == HD_OK && col_state_parse(hd_buf_slice(&text), state, marks) != HD_OK) {
        set_aside(path, HD_ECORRUPT);
        *state = (struct col_state){0};
    } else if (err == HD_ENOENT) {
        err = HD_OK;
    }
    if (err != HD_OK) {
        (void)snprintf(why, 256, "%.150s/" COL_STATE_FILE ": %s", state_dir,
                       hd_err_text(err));
    }
    hd_buf_fini(&text);
    return err;
}

static int read_boot(const char *state_dir, char boot[COL_BOOT_LEN + 1])
{
    char path[COL_STATE_PATH_MAX];
    uint8_t bytes[COL_BOOT_LEN / 2];
    struct hd_buf text;
    hd_buf_init(&text, COL_BOOT_LEN * 4);
    path_of(path, state_dir, COL_STATE_BOOT);
    int err = hd_fs_read(path, COL_BOOT_LEN * 4, &text);
    if (err == HD_OK) {
        struct hd_slice hex = hd_slice_trim(hd_buf_slice(&text));
        err = hd_num_hex_bytes(hex, bytes, sizeof(bytes));
        if (err == HD_OK) {
            memcpy(boot, hex.ptr, COL_BOOT_LEN);
            boot[COL_BOOT_LEN] = '\0';
        }
    }
    hd_buf_fini(&text);
    return err;
}

static int write_boot(const char *state_dir, const char *boot, char why[256])
{
    char path[COL_STATE_PATH_MAX];
    char line[COL_BOOT_LEN + 2];
    path_of(path, state_dir, COL_STATE_BOOT);
    (void)snprintf(line, sizeof(line), "%s\n", boot);
    int err = hd_fs_write_atomic(path, hd_slice_str(line), 0600);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "%.180s: %s", path, hd_err_text(err));
    }
    return err;
}

static int new_boot(char boot[COL_BOOT_LEN + 1])
{
    uint8_t bytes[COL_BOOT_LEN / 2];
    struct hd_buf hex;
    int err = hd_random(bytes, sizeof(bytes));
    if (err != HD_OK) {
        return err;
    }
    hd_buf_init(&hex, 0);
    hd_buf_hex(&hex, hd_slice(bytes, sizeof(bytes)));
    err = hex.err;
    (void)snprintf(boot, COL_BOOT_LEN + 1, "%s", hd_buf_cstr(&hex));
    hd_buf_fini(&hex);
    return err;
}

static void replay_entry(struct replay *r, const struct hd_journal_entry *entry)
{
    r->entries++;
    if (entry->index <= r->state->index) {
        return;
    }
    r->state->index = entry->index;
    r->state->last = entry->last;
    int64_t now_s = hd_clock_wall_ns() / HD_NS_PER_SEC;
    if (col_marks_restore(r->marks, entry->meta, now_s) != HD_OK) {
        COL_COUNT(COL_SPOOL_CORRUPT, 1);
        HD_LOG(WARN, "intake", "file positions of a spool entry cannot be read",
               HD_KV_UINT("index", entry->index));
    }
}

static int replay_spool(struct hd_journal_reader *reader, struct replay *r)
{
    for (;;) {
        struct hd_journal_cursor at;
        struct hd_journal_entry entry;
        hd_journal_reader_tell(reader, &at);
        int err = hd_journal_reader_next_header(reader, &entry);
        switch (err) {
        case HD_OK:
            r->newest = at;
            replay_entry(r, &entry);
            break;
        case HD_EAGAIN:
            return HD_OK;
        case HD_ECORRUPT:
            COL_COUNT(COL_SPOOL_CORRUPT, 1);
            HD_LOG(ERROR, "intake", "a spool entry does not verify and is passed over",
                   HD_KV_UINT("after_index", r->state->index));
            break;
        case HD_ENOENT: /* the cursor stands at the oldest entry now */
            break;
        default:
            return err;
        }
    }
}

/* The boot id that the newest entry was written with. */
static int spooled_boot(struct hd_journal_reader *reader, const struct replay *r,
                        char boot[COL_BOOT_LEN + 1])
{
    struct hd_journal_entry entry;
    struct hd_batch_reader *batch = NULL;
    struct hd_batch_info info;
    int err = hd_journal_reader_seek(reader, &r->newest);
    err = err == HD_OK ? hd_journal_reader_next(reader, &entry) : err;
    err = err == HD_OK ? hd_batch_reader_new(&batch) : err;
    err = err == HD_OK ? hd_batch_reader_open(batch, entry.payload, &info) : err;
    if (err == HD_OK && info.boot.len != COL_BOOT_LEN) {
        err = HD_ECORRUPT;
    }
    if (err == HD_OK) {
        memcpy(boot, info.boot.ptr, COL_BOOT_LEN);
        boot[COL_BOOT_LEN] = '\0';
    }
    hd_batch_reader_free(batch);
    return err;
}

/* The spool's entries tell; then the state file; then the boot file; then chance. */
static int settle_boot(const char *state_dir, struct hd_journal_reader *reader,
                       const struct replay *r, bool is_fresh, char why[256])
{
    struct col_state *state = r->state;
    char known[COL_BOOT_LEN + 1] = "";
    bool has_file = read_boot(state_dir, known) == HD_OK;
    int err = HD_OK;
    if (r->entries > 0) {
        err = spooled_boot(reader, r, state->boot);
        if (err != HD_OK) {
            (void)snprintf(why, 256, "%.150s/" COL_STATE_SPOOL ": newest entry: %s",
                           state_dir, hd_err_text(err));
        }
    } else if (is_fresh) {
        has_file = false;
        state->index = 0;
        state->last = 0;
        state->acked = 0;
        err = new_boot(state->boot);
    } else if (state->boot[0] == '\0') {
        (void)snprintf(state->boot, sizeof(state->boot), "%s", known);
    }
    if (err != HD_OK || (has_file && strcmp(known, state->boot) == 0)) {
        return err;
    }
    return write_boot(state_dir, state->boot, why);
}

int col_recover(const char *state_dir, const struct hd_journal_keys *keys,
                uint64_t next_index, struct col_state *state, struct col_marks *marks,
                char why[256])
{
    char spool[COL_STATE_PATH_MAX];
    struct hd_journal_reader *reader = NULL;
    struct replay r = {.state = state, .marks = marks};
    int err = read_state(state_dir, state, marks, why);
    if (err != HD_OK) {
        return err;
    }
    path_of(spool, state_dir, COL_STATE_SPOOL);
    uint64_t covered = state->index;
    err = hd_journal_reader_open(spool, NULL, &reader);
    if (err == HD_OK) {
        hd_journal_reader_use_keys(reader, keys);
        err = replay_spool(reader, &r);
    }
    if (err != HD_OK) {
        (void)snprintf(why, 256, "%.180s: %s", spool, hd_err_text(err));
    } else {
        /* a spool that begins again below what the state covers was removed */
        bool is_fresh = r.entries == 0 && (covered == 0 || next_index <= covered);
        if (is_fresh && covered > 0) {
            HD_LOG(WARN, "intake", "the spool was removed; a new one begins",
                   HD_KV_STR("dir", spool));
        }
        err = settle_boot(state_dir, reader, &r, is_fresh, why);
        if (state->index >= next_index) {
            state->index = next_index - 1; /* the spool lost its tail */
        }
    }
    if (reader != NULL) {
        hd_journal_reader_close(reader);
    }
    return err;
}
