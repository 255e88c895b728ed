/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_jfmt_box_decode, hd_jcrypt_open, hd_jcrypt_close,
 * hd_journal_keys_add. The first byte chooses: 1 = the input is what a key file holds;
 * 2 = it is a box, under a key that is there; else it is encrypted, and the next four
 * bytes say which bit of the entry is then changed. What was changed never opens, what
 * was not opens as it was, and no box opens that nobody closed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/journal_keys.h>

#include "lib/journal_crypt.h"

#define INPUT_MAX ((size_t)64 << 10)
#define KEY       "0123456789abcdef0123456789abcdef" /* 32 bytes, as they are */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hd_jfmt_uuid uuid = {{1, 2, 3}};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static const struct hd_journal_key *keys_make(struct hd_journal_keys **keys)
{
    const struct hd_journal_key *key = NULL;
    must(hd_journal_keys_new(keys) == HD_OK);
    must(hd_journal_keys_add(*keys, HD_SLICE(KEY), &key) == HD_OK);
    return key;
}

static void fuzz_key(struct hd_journal_keys *keys, struct hd_slice in)
{
    const struct hd_journal_key *key = NULL;
    int err = hd_journal_keys_add(keys, in, &key);
    must(err == HD_OK || err == HD_EPARSE);
    must((err == HD_OK) == (key != NULL));
    if (err == HD_OK) {
        struct hd_journal_key_id id = hd_journal_key_id(key);
        must(hd_journal_keys_find(keys, &id) == key);
    }
}

/* An entry around the payload, as it lies in a file. */
static int open_entry(struct hd_jcrypt *c, const struct hd_journal_keys *keys,
                      struct hd_buf *file, struct hd_jfmt_entry *head)
{
    must(hd_jfmt_entry_decode(hd_buf_slice(file), &uuid, head) == HD_PARSE_OK);
    head->entry.payload.ptr = file->ptr + head->head_len;
    return hd_jcrypt_open(c, keys, &uuid, head);
}

static void put_entry(struct hd_buf *file, const struct hd_journal_entry *entry)
{
    hd_buf_clear(file);
    hd_jfmt_entry_encode(file, &uuid, entry, 1);
    hd_buf_slice_add(file, entry->payload);
    must(file->err == 0);
}

static void fuzz_box(struct hd_jcrypt *c, struct hd_journal_keys *keys,
                     struct hd_slice in)
{
    struct hd_journal_entry entry = {.index = 1, .payload = in};
    struct hd_jfmt_entry head;
    struct hd_jfmt_box box;
    struct hd_buf file;
    hd_buf_init(&file, 0);
    put_entry(&file, &entry);
    int err = open_entry(c, keys, &file, &head);
    must((err == HD_OK) == !hd_jfmt_is_box(in));
    must(err == HD_OK || err == HD_ECORRUPT || err == HD_EVERSION || err == HD_ENOKEY);
    if (hd_jfmt_box_decode(in, &box) == HD_OK) {
        must(box.head.len + box.content.len + HD_JFMT_BOX_TAG == in.len);
        must(box.tag == box.content.ptr + box.content.len);
        must(err == HD_ECORRUPT || err == HD_ENOKEY);
    }
    hd_buf_fini(&file);
}

static void fuzz_change(struct hd_jcrypt *c, const struct hd_journal_keys *keys,
                        const struct hd_journal_key *key, struct hd_slice in)
{
    uint32_t where = 0;
    memcpy(&where, in.ptr, sizeof(where));
    struct hd_slice text = hd_slice_from(in, sizeof(where));
    struct hd_journal_entry entry = {.index = where, .meta = hd_slice_head(text, 9)};
    entry.index += entry.index == 0;
    entry.payload = text;
    struct hd_jfmt_entry head;
    struct hd_buf file;
    hd_buf_init(&file, 0);
    must(hd_jcrypt_close(c, key, &uuid, &entry, 1) == HD_OK);
    put_entry(&file, &entry);
    must(open_entry(c, keys, &file, &head) == HD_OK);
    must(hd_slice_eq(head.entry.payload, text));
    size_t at = head.head_len + where / 8 % (file.len - head.head_len);
    file.ptr[at] ^= (uint8_t)(1U << where % 8);
    must(hd_jfmt_entry_decode(hd_buf_slice(&file), &uuid, &head) == HD_PARSE_OK);
    head.entry.payload.ptr = file.ptr + head.head_len;
    bool is_magic = at - head.head_len < 4; /* then it is no box any more */
    int err = hd_jcrypt_open(c, keys, &uuid, &head);
    must((err == HD_OK) == is_magic);
    hd_buf_fini(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_journal_keys *keys = NULL;
    struct hd_jcrypt crypt;
    if (size < 6 || size > INPUT_MAX) {
        return 0;
    }
    const struct hd_journal_key *key = keys_make(&keys);
    struct hd_slice in = hd_slice(data + 1, size - 1);
    hd_jcrypt_init(&crypt);
    if ((data[0] & 3) == 1) {
        fuzz_key(keys, in);
    } else if ((data[0] & 3) == 2) {
        fuzz_box(&crypt, keys, in);
    } else {
        fuzz_change(&crypt, keys, key, in);
    }
    hd_jcrypt_fini(&crypt);
    hd_journal_keys_free(keys);
    return 0;
}
