/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: con_bundle_index, con_manifest_parse, con_segment_check,
 * con_cover_digest, hd_journal_part_entry, con_chain_*. What the index finds is within
 * the file, and what the manifest is taken for respects the limits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "console/prove/bundle.h"
#include "console/prove/cover.h"
#include "console/prove/manifest.h"
#include "console/prove/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void read_manifest(const struct con_bundle *bundle)
{
    char why[256];
    struct con_chain chain;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    must(con_chain_init(&chain) == HD_OK);
    if (con_bundle_read(bundle, &bundle->member[0], CON_MANIFEST_MAX, &text) == HD_OK &&
        con_manifest_parse(hd_buf_slice(&text), &chain, why) == HD_OK) {
        struct con_segments *segments = calloc(1, sizeof(*segments));
        must(segments != NULL);
        con_segments_of(segments, &chain);
        must(segments->n <= CON_SEGMENTS_MAX);
        free(segments);
    }
    hd_buf_fini(&text);
    con_chain_fini(&chain);
}

static void read_entry(struct con_chain_reader *reader, const struct hd_journal_entry *e)
{
    const struct con_chain_place place = {1, e->index, 64};
    const struct con_chain_wanted wanted = {.seq = 1};
    json_t *events = json_array(), *alert = NULL, *receipt = NULL;
    must(con_chain_add_events(reader, e, &place, &wanted, events) != HD_OK ||
         json_array_size(events) == 1);
    must((con_chain_alert(reader, e, &place, &alert) == HD_OK) == (alert != NULL));
    must((con_chain_receipt(reader, e, &place, &receipt) == HD_OK) == (receipt != NULL));
    json_decref(events);
    json_decref(alert);
    json_decref(receipt);
}

/* As if it were the seals that follow. */
static void read_chain(const struct con_bundle *bundle,
                       const struct con_bundle_member *member)
{
    struct con_segment segment = {.first = 1};
    uint8_t digest[HD_SHA256_LEN];
    uint64_t last = 0;
    if (con_bundle_read(bundle, member, CON_COVER_MAX, &segment.chain) == HD_OK) {
        int err = con_cover_digest(&segment, digest, &last);
        must(err == HD_ECORRUPT || (err == HD_OK && (last > 1 || member->bytes == 0)));
    }
    hd_buf_fini(&segment.chain);
}

static void read_segment(struct con_chain_reader *reader, int fd,
                         const struct con_bundle_member *member)
{
    struct con_segment segment = {.first = 1,
                                  .part = {fd, member->offset, member->bytes}};
    struct hd_journal_entry entry;
    struct hd_buf room;
    hd_buf_init(&room, 0);
    must(con_segment_check(&segment, NULL, 0, true) == HD_OK);
    must(!con_segment_is_vouched(&segment)); /* there is no key */
    if (hd_journal_part_entry(&segment.part, 64, &room, &entry) == HD_OK) {
        read_entry(reader, &entry);
    }
    hd_buf_fini(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct con_bundle bundle; /* lint: global large */
    char why[CON_BUNDLE_WHY];
    struct con_chain_reader reader;
    int fd = memfd_create("bundle", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    must(con_chain_reader_init(&reader) == HD_OK);
    if (con_bundle_index(fd, &bundle, why) == HD_OK && bundle.n > 0) {
        read_manifest(&bundle);
        for (size_t i = 0; i < bundle.n; i++) {
            const struct con_bundle_member *m = &bundle.member[i];
            must(m->offset <= size && m->bytes <= size - m->offset);
            read_segment(&reader, fd, m);
            read_chain(&bundle, m);
        }
    }
    con_chain_reader_fini(&reader);
    (void)close(fd);
    return 0;
}
