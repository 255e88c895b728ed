/* SPDX-License-Identifier: Apache-2.0
 *
 * Small texts of the document's members, for its readings. What has no value is "-".
 */
#pragma once
#include "console/report/report.h"

#define CON_REPORT_CELL 48U

struct con_report_cell {
    char text[CON_REPORT_CELL];
};

struct con_report_cell con_report_number(const json_t *json, const char *path);
struct con_report_cell con_report_size(const json_t *json, const char *path);
struct con_report_cell con_report_time(const struct con_report *r, const json_t *json,
                                       const char *path);
/* The title in the reader's language. */
const char *con_report_title(const struct con_report *r, const json_t *rule);
/* "high" in the reader's language. */
const char *con_report_level(const struct con_report *r, const char *level);
/* Says how many more there are than `list` shows. */
void con_report_more(const struct con_report *r, struct con_paper *paper,
                     const json_t *part, const char *list);
/* A table of named counts; nothing for an empty one. */
void con_report_names(const struct con_report *r, struct con_paper *paper,
                      const json_t *part, const char *list, const char *head);
const char *con_report_say(const struct con_report *r, const char *en, const char *vi);
