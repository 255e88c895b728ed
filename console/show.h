/* SPDX-License-Identifier: Apache-2.0
 *
 * An alert as a person reads it: one line that says when, how bad, what, from where to
 * where, and one with the last evidence. Everything that came from outside is escaped.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include <haidang/buf.h>
#include <haidang/clock.h>

#include "console/command.h"

/* Whether the environment (LC_ALL, LC_MESSAGES, LANG) asks for Vietnamese. */
bool con_show_env_is_vietnamese(void);

/* Columns of the terminal on standard output; 100 where there is none. */
size_t con_show_width(void);

struct con_show {
    bool is_vietnamese;
    bool has_colour;
    struct hd_zone *zone; /* of the times shown */
};

/* From --lang, --utc and the terminal. Prints what is wrong. own: con_show_fini. */
int con_show_init(struct con_show *show, const struct con_args *args) HD_MUST_USE;
void con_show_fini(struct con_show *show);

void con_show_alert(const struct con_show *show, const json_t *alert, struct hd_buf *out);

/* "  [Portal, level 3, Department X]"; nothing for one without a name, or NULL. */
void con_show_system(const struct con_show *show, const json_t *system,
                     struct hd_buf *out);

/* "2026-11-21 14:50:37" in the zone of the show. */
void con_show_time(const struct con_show *show, int64_t ns, struct hd_buf *out);
/* The text in the reader's language. */
const char *con_show_say(const struct con_show *show, const char *en, const char *vi);
