/* SPDX-License-Identifier: Apache-2.0
 *
 * What the delivery tests stand on: an alert journal, a test centre and the forwarder,
 * all on one loop in one process.
 */
#pragma once
#include "tests/support/support.h"

#include <jansson.h>
#include <uv.h>

#include "forwarder/forwarder.h"
#include "tests/support/centre/centre.h"

#define WORLD_GOT_MAX 256

struct world_got {
    char signature[64];
    unsigned status;
    bool is_taken;
    uint64_t at_ms;
};

struct world {
    uv_loop_t loop;
    const char *dir; /* everything is below it */
    const char *pki;
    char conf_text[8192];
    struct fwd_conf conf;
    struct fwd_program *program;
    struct hd_tls *tls;
    struct centre *centre;
    uint16_t port;
    json_t *schema;
    struct world_got got[WORLD_GOT_MAX];
    unsigned n_got;
    unsigned n_alerts;      /* written so far */
    uint64_t alert_segment; /* bytes of a segment of alerts; 0 = the usual */
};

/* `pki` may be shared between tests (hd_test_pki). */
void world_init(struct world *w, const char *pki);
void world_fini(struct world *w);

/* The centre, with DIR/CERT.crt; port 0 = any, else that one. */
void world_centre(struct world *w, const char *cert, const char *answers,
                  bool wants_cert);
void world_centre_gone(struct world *w);

/* Appends n alerts "alert 1", "alert 2", ... national and severe. */
void world_alerts(struct world *w, unsigned n);
/* One alert with a member (a dotted path of two at most) replaced. */
void world_alert_with(struct world *w, const char *path, json_t *value);

/* Configuration of one destination "a" at the centre; `more` is added to it. */
void world_conf(struct world *w, const char *more);
/* The whole text of `destinations:`. */
void world_conf_destinations(struct world *w, const char *text);
void world_start(struct world *w);
void world_stop(struct world *w);

/* Runs the loop until `is_so`; fails the test after 20 s. */
void world_until(struct world *w, bool (*is_so)(struct world *w, unsigned n), unsigned n);
bool world_has_got(struct world *w, unsigned n);       /* requests seen by the centre */
bool world_has_delivered(struct world *w, unsigned n); /* counter since world_init */
bool world_has_dead(struct world *w, unsigned n);
bool world_has_stopped(struct world *w, unsigned n);
bool world_has_retried(struct world *w, unsigned n);
/* Runs the loop for so long. */
void world_wait(struct world *w, uint64_t ms);

/* All receipts, an array of objects (the program must have stopped). own: the caller. */
json_t *world_receipts(struct world *w);
/* "begun delivered begun dead ..." of one destination. */
const char *world_outcomes(struct world *w, const char *destination);
