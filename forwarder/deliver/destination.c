/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine of a destination. Each state waits for exactly one thing: the
 * journal, a receipt, an answer, or the timer; `settle` is where the wait is chosen.
 */
#include "forwarder/deliver/destination.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/alert.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/json.h>
#include <haidang/log.h>
#include <haidang/loop.h>

#include "forwarder/deliver/feed.h"
#include "forwarder/metrics.h"

#define MODULE          "destination"
#define BURST           64U   /* alerts passed over before other work gets its turn */
#define AGAIN_MS        1000U /* when a receipt could not be written, when no journal is */
#define REQUEST_SHA_LEN HD_SHA256_LEN

enum dest_state {
    DEST_WAITING,   /* for an alert */
    DEST_RECORDING, /* a receipt is being made durable */
    DEST_SENDING,   /* a request is in flight */
    DEST_BACKOFF,   /* the timer starts the next attempt */
    DEST_STOPPED,   /* a person must look; the timer or a reload tries again */
    DEST_CLOSED,
};

struct fwd_destination {
    struct hd_owner owner;
    struct fwd_destination_opts opts;
    struct fwd_setup *setup;
    struct fwd_setup *next_setup; /* from a reload; used from the next attempt on */
    struct fwd_feed *feed;
    struct fwd_http_call *call;
    uv_timer_t timer;
    uv_poll_t poll;
    bool has_poll;
    bool is_recording;    /* fwd_receipts holds a pointer to us */
    bool is_closed;       /* handles have closed */
    bool is_fresh;        /* files have changed: next request on a new connection */
    bool has_no_receipts; /* the last one could not be written */
    enum dest_state state;
    struct hd_backoff backoff;

    bool has_reached; /* as far back in the receipts as the position is */
    bool has_passed;  /* `passed` is not yet saved */
    struct hd_journal_cursor passed;

    /* the alert in hand */
    struct fwd_feed_alert item;
    struct hd_buf message;
    uint8_t message_sha256[REQUEST_SHA_LEN];
    uint32_t attempt;
    bool is_resend;

    /* the receipt in hand */
    enum fwd_outcome outcome;
    long status;
    struct hd_buf response;
    char reason[256];
    uint64_t took_ms, wait_ms;

    /* for people */
    uint64_t delivered, retried, dead;
    int64_t last_delivery_ns, failing_since_ns;
    char problem[256];
};

static void next_alert(struct fwd_destination *dest);
static void bury(struct fwd_destination *dest, const char *what, const char *why);
static void record(struct fwd_destination *dest);
static void on_timer(uv_timer_t *timer);

/* ---- life ---- */

static void try_free(struct fwd_destination *dest)
{
    if (!dest->is_closed || dest->is_recording) {
        return;
    }
    void (*freed)(void *ctx) = dest->opts.freed;
    void *ctx = dest->opts.ctx;
    fwd_feed_close(dest->feed);
    fwd_setup_free(dest->setup);
    fwd_setup_free(dest->next_setup);
    json_decref(dest->item.alert);
    hd_buf_fini(&dest->message);
    hd_buf_fini(&dest->response);
    free(dest);
    if (freed != NULL) {
        freed(ctx);
    }
}

static void handles_closed(void *ctx)
{
    struct fwd_destination *dest = ctx;
    dest->is_closed = true;
    try_free(dest);
}

void fwd_destination_close(struct fwd_destination *dest)
{
    if (dest->state == DEST_CLOSED) {
        return;
    }
    dest->state = DEST_CLOSED;
    if (dest->call != NULL) {
        fwd_http_cancel(dest->call);
        dest->call = NULL;
    }
    hd_owner_close(&dest->owner, (uv_handle_t *)&dest->timer);
    if (dest->has_poll) {
        hd_owner_close(&dest->owner, (uv_handle_t *)&dest->poll);
    }
    hd_owner_finish(&dest->owner);
}

static void use_setup(struct fwd_destination *dest, struct fwd_setup *setup)
{
    fwd_setup_free(dest->setup);
    dest->setup = setup;
    const struct fwd_conf_destination *conf = setup->conf;
    dest->backoff.base_ms = (uint64_t)(conf->retry_first / HD_NS_PER_MS);
    dest->backoff.cap_ms = (uint64_t)(conf->retry_max / HD_NS_PER_MS);
    dest->backoff.floor_ms = dest->backoff.base_ms / 4;
    hd_backoff_reset(&dest->backoff);
    dest->is_fresh = true;
}

static void adopt_setup(struct fwd_destination *dest)
{
    if (dest->next_setup != NULL) {
        use_setup(dest, dest->next_setup);
        dest->next_setup = NULL;
    }
}

/* ---- what people are told ---- */

static void says_well(struct fwd_destination *dest)
{
    if (dest->failing_since_ns != 0) {
        HD_LOG(INFO, MODULE, "takes alerts again",
               HD_KV_STR("destination", dest->setup->conf->name));
    }
    dest->failing_since_ns = 0;
    dest->problem[0] = '\0';
}

static void says_failing(struct fwd_destination *dest, const char *what)
{
    if (dest->failing_since_ns == 0) {
        dest->failing_since_ns = hd_clock_mono_ns();
    }
    (void)snprintf(dest->problem, sizeof(dest->problem), "%s", what);
}

/* ---- time ---- */

static void wait_ms(struct fwd_destination *dest, uint64_t ms)
{
    (void)uv_timer_start(&dest->timer, on_timer, ms, 0);
}

/* Retry-After counts, up to a limit and with jitter, so that not everybody who was told
 * the same comes back in the same second. */
static uint64_t retry_wait(struct fwd_destination *dest, int64_t retry_after_s)
{
    uint64_t wait = hd_backoff_next_ms(&dest->backoff);
    if (retry_after_s <= 0) {
        return wait;
    }
    uint64_t limit = (uint64_t)(dest->setup->conf->retry_after_max / HD_NS_PER_MS);
    uint64_t asked =
        (uint64_t)retry_after_s > limit / 1000U ? limit : (uint64_t)retry_after_s * 1000U;
    struct hd_backoff jitter = {.base_ms = asked / 10U, .cap_ms = asked / 10U};
    asked += hd_backoff_next_ms(&jitter);
    return asked > wait ? asked : wait;
}

/* ---- the answer ---- */

static void set_answer(struct fwd_destination *dest, const struct fwd_http_result *result)
{
    dest->status = result->status;
    dest->took_ms = result->took_ms;
    hd_buf_clear(&dest->response);
    hd_buf_slice_add(&dest->response, result->body);
    dest->reason[0] = '\0';
    if (result->err != HD_OK) {
        (void)snprintf(dest->reason, sizeof(dest->reason), "%s: %.200s",
                       hd_err_text(result->err), result->error);
    }
}

static void judge(struct fwd_destination *dest, const struct fwd_http_result *result)
{
    enum fwd_class class = result->err != HD_OK
                               ? FWD_CLASS_RETRY
                               : fwd_profile_class(dest->setup->profile, result->status);
    dest->wait_ms = 0;
    switch (class) {
    case FWD_CLASS_OK:
        dest->outcome = FWD_DELIVERED;
        break;
    case FWD_CLASS_RETRY:
        dest->outcome = FWD_RETRY;
        dest->wait_ms = retry_wait(dest, result->retry_after_s);
        break;
    case FWD_CLASS_STOP:
        dest->outcome = FWD_STOPPED;
        dest->wait_ms = (uint64_t)(dest->setup->conf->stopped_retry / HD_NS_PER_MS);
        break;
    case FWD_CLASS_DEAD:
        dest->outcome = FWD_DEAD;
        break;
    }
}

static void on_answer(void *ctx, const struct fwd_http_result *result)
{
    struct fwd_destination *dest = ctx;
    dest->call = NULL;
    set_answer(dest, result);
    judge(dest, result);
    record(dest);
}

static void send_message(struct fwd_destination *dest)
{
    if (hd_fails(!hd_alert_is_test(dest->item.alert))) {
        bury(dest, "a test is never sent", "");
        return;
    }
    dest->setup->target.fresh = dest->is_fresh;
    int err = fwd_http_send(dest->opts.http, &dest->setup->target,
                            hd_buf_slice(&dest->message), on_answer, dest, &dest->call);
    if (err != HD_OK) {
        const struct fwd_http_result result = {.err = err, .error = "request not made"};
        on_answer(dest, &result);
        return;
    }
    FWD_COUNT(FWD_M_ATTEMPTS);
    dest->is_fresh = false;
    dest->state = DEST_SENDING;
}

/* ---- receipts ---- */

static void begin(struct fwd_destination *dest)
{
    dest->attempt++;
    dest->outcome = FWD_BEGUN;
    dest->status = 0;
    dest->reason[0] = '\0';
    dest->took_ms = 0;
    dest->wait_ms = 0;
    record(dest);
}

static void save_position(struct fwd_destination *dest,
                          const struct hd_journal_cursor *cursor)
{
    int err = fwd_feed_save(dest->feed, cursor);
    if (err != HD_OK) {
        /* harmless now, a repeated read after a restart is caught by the receipts */
        HD_LOG(WARN, MODULE, "the position in the alerts cannot be saved",
               HD_KV_STR("destination", dest->setup->conf->name), HD_KV_ERR(err));
    }
}

static void alert_done(struct fwd_destination *dest)
{
    dest->has_passed = false;
    save_position(dest, &dest->item.after);
    json_decref(dest->item.alert);
    dest->item.alert = NULL;
    next_alert(dest);
}

static void log_outcome(const struct fwd_destination *dest, const char *text)
{
    HD_LOG(WARN, MODULE, text, HD_KV_STR("destination", dest->setup->conf->name),
           HD_KV_STR("alert", dest->item.id), HD_KV_INT("status", dest->status),
           HD_KV_STR("reason", dest->reason),
           HD_KV_SLICE("response", hd_slice_head(hd_buf_slice(&dest->response), 200)),
           HD_KV_UINT("wait_ms", dest->wait_ms));
}

static void on_delivered(struct fwd_destination *dest)
{
    FWD_COUNT(FWD_M_DELIVERED);
    dest->delivered++;
    dest->last_delivery_ns = hd_clock_wall_ns();
    hd_backoff_reset(&dest->backoff);
    says_well(dest);
    HD_LOG(DEBUG, MODULE, "delivered", HD_KV_STR("destination", dest->setup->conf->name),
           HD_KV_STR("alert", dest->item.id),
           HD_KV_STR("profile", fwd_profile_info(dest->setup->profile)->name));
    alert_done(dest);
}

static void on_dead(struct fwd_destination *dest)
{
    FWD_COUNT(FWD_M_DEAD);
    dest->dead++;
    log_outcome(dest, "an alert is not taken: dead letter");
    if (dest->status != 0) {
        hd_backoff_reset(&dest->backoff); /* the destination lives and answers */
        says_well(dest);
    }
    alert_done(dest);
}

static void say_wrong_answer(struct fwd_destination *dest, const char *what)
{
    char text[256];
    if (dest->status != 0) {
        (void)snprintf(text, sizeof(text), "%s: answered %ld", what, dest->status);
    } else {
        (void)snprintf(text, sizeof(text), "%s: %.200s", what, dest->reason);
    }
    says_failing(dest, text);
}

/* The receipt is durable: go on. */
static void settle(struct fwd_destination *dest)
{
    switch (dest->outcome) {
    case FWD_BEGUN:
        send_message(dest);
        break;
    case FWD_DELIVERED:
        on_delivered(dest);
        break;
    case FWD_DEAD:
        on_dead(dest);
        break;
    case FWD_WITHHELD:
        FWD_COUNT(FWD_M_TESTS);
        alert_done(dest);
        break;
    case FWD_RETRY:
        FWD_COUNT(FWD_M_RETRIED);
        dest->retried++;
        log_outcome(dest, "not taken, will be sent again");
        say_wrong_answer(dest, "takes nothing");
        dest->state = DEST_BACKOFF;
        wait_ms(dest, dest->wait_ms);
        break;
    case FWD_STOPPED:
        FWD_COUNT(FWD_M_STOPPED);
        log_outcome(dest, "refuses us: check token, certificate and the list of allowed "
                          "addresses, then reload");
        say_wrong_answer(dest, "stopped, refuses us");
        dest->state = DEST_STOPPED;
        if (dest->wait_ms > 0) {
            wait_ms(dest, dest->wait_ms);
        }
        break;
    }
}

static void receipt_failed(struct fwd_destination *dest, int err)
{
    char text[128];
    FWD_COUNT(FWD_M_RECEIPT_ERRORS);
    dest->has_no_receipts = true;
    (void)snprintf(text, sizeof(text), "receipts cannot be written: %s",
                   hd_err_text(err));
    HD_LOG(ERROR, MODULE, "a receipt cannot be written; nothing is sent until it can",
           HD_KV_STR("destination", dest->setup->conf->name), HD_KV_ERR(err));
    says_failing(dest, text);
    wait_ms(dest, AGAIN_MS);
}

static void on_durable(void *ctx, int err)
{
    struct fwd_destination *dest = ctx;
    dest->is_recording = false;
    if (dest->state == DEST_CLOSED) {
        try_free(dest);
        return;
    }
    if (err != HD_OK) {
        receipt_failed(dest, err);
        return;
    }
    if (dest->has_no_receipts) {
        dest->has_no_receipts = false;
        says_well(dest);
    }
    settle(dest);
}

static void record(struct fwd_destination *dest)
{
    const struct fwd_profile_info *info = fwd_profile_info(dest->setup->profile);
    bool has_request = dest->message.len > 0;
    const struct fwd_receipt receipt = {
        .time_ns = hd_clock_wall_ns(),
        .destination = dest->setup->conf->name,
        .alert = dest->item.id,
        .index = dest->item.index,
        .outcome = dest->outcome,
        .attempt = dest->attempt,
        .is_resend = dest->is_resend,
        .profile = info->name,
        .schema_sha256 = info->schema_sha256,
        .request_sha256 = has_request ? dest->message_sha256 : NULL,
        .request_bytes = dest->message.len,
        .status = dest->status,
        .response = hd_buf_slice(&dest->response),
        .reason = dest->reason[0] == '\0' ? NULL : dest->reason,
        .took_ms = dest->took_ms,
        .wait_ms = dest->wait_ms,
    };
    dest->state = DEST_RECORDING;
    int err = fwd_receipts_append(dest->opts.receipts, &receipt, on_durable, dest);
    if (err != HD_OK) {
        receipt_failed(dest, err);
        return;
    }
    dest->is_recording = true;
}

/* ---- the next alert ---- */

/* No request will be made. */
static void end_unsent(struct fwd_destination *dest, enum fwd_outcome outcome,
                       const char *what, const char *why)
{
    dest->outcome = outcome;
    dest->attempt = 0;
    dest->status = 0;
    dest->took_ms = 0;
    dest->wait_ms = 0;
    hd_buf_clear(&dest->response);
    (void)snprintf(dest->reason, sizeof(dest->reason), "%s%.200s", what, why);
    record(dest);
}

static void bury(struct fwd_destination *dest, const char *what, const char *why)
{
    hd_buf_clear(&dest->message);
    end_unsent(dest, FWD_DEAD, what, why);
}

static bool is_of_province(const struct fwd_destination *dest)
{
    return dest->setup->conf->scope == FWD_SCOPE_NATIONAL &&
           strcmp(hd_alert_text(dest->item.alert, "delivery"), "national") != 0;
}

static bool is_minor(const struct fwd_destination *dest)
{
    return hd_alert_int(dest->item.alert, "severity", 0) < dest->setup->min_severity;
}

/* True when the alert is not for this destination. */
static bool is_withheld(struct fwd_destination *dest)
{
    if (dest->item.alert == NULL) {
        return false; /* what cannot be read is a dead letter everywhere */
    }
    if (hd_alert_is_test(dest->item.alert)) {
        return false; /* what would have become of it is written down */
    }
    if (is_of_province(dest)) {
        FWD_COUNT(FWD_M_PROVINCE);
        return true;
    }
    if (is_minor(dest)) {
        FWD_COUNT(FWD_M_SEVERITY);
        return true;
    }
    return false;
}

/* Before the first alert: what receipts say was ended is not sent again, also where the
 * saved position is old. */
static void reach_receipts(struct fwd_destination *dest)
{
    const char *name = dest->setup->conf->name;
    int err = dest->has_reached
                  ? HD_OK
                  : fwd_receipts_reach(dest->opts.receipts, name, dest->item.index,
                                       dest->item.raised_ns);
    dest->has_reached = true;
    if (err != HD_OK) {
        HD_LOG(ERROR, MODULE, "old receipts cannot be read: alerts may be sent again",
               HD_KV_STR("destination", name), HD_KV_ERR(err));
    }
}

/* True when an earlier run ended this one; notes one that it may have sent. */
static bool is_known(struct fwd_destination *dest)
{
    enum fwd_outcome last;
    dest->is_resend = false;
    if (fwd_receipts_find(dest->opts.receipts, dest->setup->conf->name, dest->item.index,
                          dest->item.id, &last) != HD_OK) {
        return false;
    }
    if (fwd_outcome_is_final(last)) {
        FWD_COUNT(FWD_M_KNOWN);
        return true;
    }
    dest->is_resend = last == FWD_BEGUN;
    return false;
}

/* With the setup in force. `why`: what is wrong. */
static int render(struct fwd_destination *dest, char why[256])
{
    why[0] = '\0';
    hd_buf_clear(&dest->response);
    hd_buf_clear(&dest->message);
    int err = fwd_profile_render(dest->setup->profile, dest->item.alert,
                                 &dest->setup->render, &dest->message, why);
    if (err == HD_OK) {
        err = hd_sha256(hd_buf_slice(&dest->message), dest->message_sha256);
    }
    if (err != HD_OK && why[0] == '\0') {
        (void)snprintf(why, 256, "%s", hd_err_text(err));
    }
    return err;
}

/* A canary's way ends here, whatever the profile says: its message is made, since that
 * may fail, and stays. */
static void withhold(struct fwd_destination *dest)
{
    char why[256];
    if (render(dest, why) != HD_OK) {
        hd_buf_clear(&dest->message);
        end_unsent(dest, FWD_WITHHELD, "test; cannot be told in this profile: ", why);
    } else if (is_of_province(dest) || is_minor(dest)) {
        end_unsent(dest, FWD_WITHHELD, "test", "; such alerts do not go here");
    } else {
        end_unsent(dest, FWD_WITHHELD, "test", "");
    }
}

/* Renders, then the attempt begins. */
static void attempt(struct fwd_destination *dest)
{
    char why[256];
    if (hd_alert_is_test(dest->item.alert)) {
        withhold(dest);
    } else if (render(dest, why) == HD_OK) {
        begin(dest);
    } else {
        bury(dest, "cannot be told in this profile: ", why);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct fwd_destination *dest = HD_CONTAINER(poll, struct fwd_destination, poll);
    (void)status;
    (void)events;
    fwd_feed_drain(dest->feed);
    if (dest->state == DEST_WAITING) {
        next_alert(dest);
    }
}

/* Waits for the journal; while there is none yet, looks now and then. */
static void wait_for_alert(struct fwd_destination *dest)
{
    dest->state = DEST_WAITING;
    if (dest->has_poll) {
        return;
    }
    int fd = fwd_feed_fd(dest->feed);
    if (fd < 0 || uv_poll_init(dest->opts.loop, &dest->poll, fd) != 0) {
        wait_ms(dest, AGAIN_MS);
        return;
    }
    hd_owner_add(&dest->owner, (uv_handle_t *)&dest->poll);
    dest->has_poll = true;
    (void)uv_poll_start(&dest->poll, UV_READABLE, on_poll);
    wait_ms(dest, 1); /* what came before the watch began */
}

static void journal_failed(struct fwd_destination *dest, int err)
{
    HD_LOG(ERROR, MODULE, "the alert journal cannot be read", HD_KV_ERR(err));
    says_failing(dest, "the alert journal cannot be read");
    dest->state = DEST_WAITING;
    wait_ms(dest, AGAIN_MS);
}

/* The alert in hand is not for here, or was ended by an earlier run. */
static void pass_over(struct fwd_destination *dest)
{
    json_decref(dest->item.alert);
    dest->item.alert = NULL;
    dest->has_passed = true;
    dest->passed = dest->item.after;
}

static void save_passed(struct fwd_destination *dest)
{
    if (dest->has_passed) {
        dest->has_passed = false;
        save_position(dest, &dest->passed);
    }
}

static void next_alert(struct fwd_destination *dest)
{
    adopt_setup(dest);
    for (unsigned i = 0; i < BURST; i++) {
        int err = fwd_feed_next(dest->feed, &dest->item);
        if (err == HD_EAGAIN) {
            save_passed(dest);
            wait_for_alert(dest);
            return;
        }
        if (err != HD_OK) {
            journal_failed(dest, err);
            return;
        }
        dest->attempt = 0;
        reach_receipts(dest);
        if (is_known(dest) || is_withheld(dest)) {
            pass_over(dest);
            continue;
        }
        if (dest->item.alert == NULL) {
            bury(dest, "cannot be read: ", dest->item.why);
        } else {
            attempt(dest);
        }
        return;
    }
    save_passed(dest);
    dest->state = DEST_WAITING;
    wait_ms(dest, 1);
}

static void on_timer(uv_timer_t *timer)
{
    struct fwd_destination *dest = HD_CONTAINER(timer, struct fwd_destination, timer);
    switch (dest->state) {
    case DEST_WAITING:
        next_alert(dest);
        break;
    case DEST_RECORDING:
        if (!dest->is_recording) {
            record(dest);
        }
        break;
    case DEST_BACKOFF:
    case DEST_STOPPED:
        adopt_setup(dest);
        attempt(dest);
        break;
    default:
        break;
    }
}

/* ---- open, reload ---- */

int fwd_destination_open(const struct fwd_destination_opts *opts, struct fwd_setup *setup,
                         struct fwd_destination **out, char why[256])
{
    struct fwd_destination *dest = calloc(1, sizeof(*dest));
    if (dest == NULL) {
        fwd_setup_free(setup);
        (void)snprintf(why, 256, "%s", hd_err_text(HD_ENOMEM));
        return HD_ENOMEM;
    }
    dest->opts = *opts;
    hd_buf_init(&dest->message, FWD_MESSAGE_MAX);
    hd_buf_init(&dest->response, FWD_RESPONSE_KEEP + 1);
    use_setup(dest, setup);
    char name[64];
    (void)snprintf(name, sizeof(name), "forwarder-%s", setup->conf->name);
    int err = fwd_feed_open(opts->alerts_dir, name, opts->keys, &dest->feed);
    if (err != HD_OK) {
        (void)snprintf(why, 256, "alert journal %.160s: %s", opts->alerts_dir,
                       hd_err_text(err));
        dest->opts.freed = NULL;
        dest->is_closed = true;
        try_free(dest);
        return err;
    }
    hd_owner_init(&dest->owner, handles_closed, dest);
    (void)uv_timer_init(opts->loop, &dest->timer);
    hd_owner_add(&dest->owner, (uv_handle_t *)&dest->timer);
    dest->state = DEST_WAITING;
    wait_ms(dest, 0);
    *out = dest;
    return HD_OK;
}

void fwd_destination_reload(struct fwd_destination *dest, struct fwd_setup *setup)
{
    fwd_setup_free(dest->next_setup);
    dest->next_setup = setup;
    if (dest->state == DEST_BACKOFF || dest->state == DEST_STOPPED) {
        wait_ms(dest, 0);
    }
}

/* ---- asking ---- */

const char *fwd_destination_name(const struct fwd_destination *dest)
{
    return dest->setup->conf->name;
}

uint64_t fwd_destination_pending(const struct fwd_destination *dest)
{
    return fwd_feed_lag(dest->feed) + (dest->state != DEST_WAITING ? 1 : 0);
}

uint64_t fwd_destination_failing_s(const struct fwd_destination *dest)
{
    if (dest->failing_since_ns == 0) {
        return 0;
    }
    return (uint64_t)((hd_clock_mono_ns() - dest->failing_since_ns) / HD_NS_PER_SEC) + 1;
}

bool fwd_destination_is_stopped(const struct fwd_destination *dest)
{
    return dest->state == DEST_STOPPED;
}

const char *fwd_destination_problem(const struct fwd_destination *dest)
{
    return dest->problem;
}

void fwd_destination_status(const struct fwd_destination *dest, struct hd_buf *out)
{
    static const char *const states[] = {"idle",    "sending", "sending",
                                         "backoff", "stopped", "closed"};
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_cstr(&j, "name", dest->setup->conf->name);
    hd_json_cstr(&j, "url", dest->setup->target.url);
    hd_json_cstr(&j, "profile", fwd_profile_info(dest->setup->profile)->name);
    hd_json_cstr(&j, "profile_status",
                 fwd_profile_status_name(fwd_profile_info(dest->setup->profile)->status));
    hd_json_cstr(&j, "state", states[dest->state]);
    hd_json_u64(&j, "delivered", dest->delivered);
    hd_json_u64(&j, "retried", dest->retried);
    hd_json_u64(&j, "dead", dest->dead);
    hd_json_u64(&j, "pending", fwd_destination_pending(dest));
    if (dest->last_delivery_ns != 0) {
        hd_json_time(&j, "last_delivery", dest->last_delivery_ns, 3);
    }
    if (dest->problem[0] != '\0') {
        hd_json_cstr(&j, "last_error", dest->problem);
    }
    hd_json_end(&j, '}');
}
