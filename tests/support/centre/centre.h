/* SPDX-License-Identifier: Apache-2.0
 *
 * The test centre: an HTTPS server on loopback that takes alerts as the real one might,
 * checks each against the JSON Schema, and answers what it is told to. Used by the
 * program haidang-centre and, on the test's own loop, by unit tests.
 */
#pragma once
#include <jansson.h>
#include <uv.h>

#include <haidang/err.h>
#include <haidang/slice.h>
#include <haidang/tls.h>

struct centre;

struct centre_alert {
    unsigned number;  /* of the request, from 1 */
    unsigned status;  /* that is answered; 0 = none */
    bool is_taken;    /* valid, authorised and not refused */
    const char *why;  /* "" or what is wrong with it */
    const char *peer; /* who sent it, with the CN of its certificate */
    struct hd_slice method, target, raw;
    const json_t *body;
};

struct centre_opts {
    const char *listen; /* "127.0.0.1:0" */
    struct hd_tls *tls;
    const json_t *schema;      /* NULL = anything that is JSON */
    const char *path;          /* NULL = any */
    const char *authorization; /* the header it wants; NULL = any or none */
    const char *control_file;  /* words of answers.h, read again when it changes */
    const char *answers;       /* the same, fixed; NULL = 200 */
    /* Each request that was read whole: `body` is borrowed (NULL = no JSON). */
    void (*on_alert)(void *ctx, const struct centre_alert *alert);
    void *ctx;
};

int centre_open(uv_loop_t *loop, const struct centre_opts *opts, struct centre **out,
                char why[256]) HD_MUST_USE;
uint16_t centre_port(const struct centre *centre);
/* HD_EPARSE. */
int centre_answers(struct centre *centre, const char *words) HD_MUST_USE;
/* Frees when the loop has closed everything. */
void centre_close(struct centre *centre);
