/* SPDX-License-Identifier: Apache-2.0
 *
 * A scripted peer for code that talks over TCP: plain sockets on the test's own loop that
 * send, wait for bytes, end, reset or just hold, step by step. And a helper that shows a
 * byte stream to a consumer cut at every point.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <haidang/slice.h>

enum hd_test_step_kind {
    HD_TEST_SEND,  /* data */
    HD_TEST_AWAIT, /* until n bytes in all have arrived */
    HD_TEST_FIN,   /* our half is done */
    HD_TEST_RESET, /* RST */
    HD_TEST_HOLD,  /* neither read nor write nor end, until hd_test_peer_close */
};

struct hd_test_step {
    enum hd_test_step_kind kind;
    struct hd_slice data;
    size_t n;
};

struct hd_test_peer;

/* The steps are borrowed until the peer has closed. After the last step it reads until
 * the other side ends, then closes. own: free after the loop has run out. */
struct hd_test_peer *hd_test_peer_connect(uv_loop_t *loop, uint16_t port,
                                          const struct hd_test_step *steps, size_t n);
/* Listens on 127.0.0.1 for one connection and plays the steps to it. */
struct hd_test_peer *hd_test_peer_listen(uv_loop_t *loop,
                                         const struct hd_test_step *steps, size_t n);
uint16_t hd_test_peer_port(const struct hd_test_peer *peer);
struct hd_slice hd_test_peer_got(const struct hd_test_peer *peer);
bool hd_test_peer_saw_end(const struct hd_test_peer *peer);
void hd_test_peer_close(struct hd_test_peer *peer);
void hd_test_peer_free(struct hd_test_peer *peer);

/* For every cut of `whole` into two pieces, and once byte by byte: begin, feed each
 * piece, end. `end` checks what came out. */
struct hd_test_consumer {
    void (*begin)(void *ctx);
    void (*feed)(void *ctx, struct hd_slice piece);
    void (*end)(void *ctx);
    void *ctx;
};
void hd_test_cut_everywhere(struct hd_slice whole,
                            const struct hd_test_consumer *consumer);
