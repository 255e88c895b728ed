/* SPDX-License-Identifier: Apache-2.0 */
#include "console/ask.h"

#include <haidang/buf.h>

#include <curl/curl.h>
#include <stdio.h>

#define ANSWER_MAX (16U << 20)
#define TIMEOUT_MS 2000L

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct hd_buf *body = ctx;
    hd_buf_bytes(body, data, size * n);
    return body->err == 0 ? size * n : 0;
}

json_t *con_ask(const char *run_dir, const char *program, const char *path, char why[256])
{
    char socket[4096], url[256];
    struct hd_buf body;
    json_t *answer = NULL;
    (void)snprintf(socket, sizeof(socket), "%s/%s.sock",
                   run_dir != NULL ? run_dir : CON_RUN_DIR, program);
    (void)snprintf(url, sizeof(url), "http://localhost%s", path);
    hd_buf_init(&body, ANSWER_MAX);
    CURL *curl = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (curl != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
        (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
        code = curl_easy_perform(curl);
    }
    if (code == CURLE_OK) {
        json_error_t error;
        answer = json_loadb((const char *)body.ptr, body.len, 0, &error);
        (void)snprintf(why, 256, "its answer is no JSON");
    } else {
        (void)snprintf(why, 256, "%.160s: %.80s", socket, curl_easy_strerror(code));
    }
    curl_easy_cleanup(curl);
    hd_buf_fini(&body);
    return answer;
}

static json_t *ask_correlator(const struct con_args *args, const char *path)
{
    char why[256];
    json_t *answer = con_ask(con_args_value(args, "run-dir"), "correlator", path, why);
    if (answer == NULL) {
        (void)con_fail(HD_EXIT_RUNTIME,
                       "the correlator does not answer: %s; is it running, are you in "
                       "the group haidang, is --run-dir right?",
                       why);
    }
    return answer;
}

int con_ask_and_show(const struct con_args *args, const char *path,
                     int (*print)(const struct con_args *args,
                                  const struct con_show *show, json_t *answer))
{
    struct con_show show;
    if (con_show_init(&show, args) != HD_OK) {
        return HD_EXIT_USAGE;
    }
    json_t *answer = ask_correlator(args, path);
    int code = answer != NULL ? print(args, &show, answer) : HD_EXIT_RUNTIME;
    json_decref(answer);
    con_show_fini(&show);
    return code;
}
