/* SPDX-License-Identifier: Apache-2.0 */
#include "console/report/paper.h"

#include <haidang/utf8.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STYLE                                                                            \
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"        \
    "color:#222;background:#fff}h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;"   \
    "border-bottom:1px solid #ccc}table{border-collapse:collapse;margin:.5em 0}"         \
    "th,td{border:1px solid #ccc;padding:.2em .6em;text-align:left;"                     \
    "overflow-wrap:anywhere;vertical-align:top}th{background:#f3f3f3}"                   \
    ".n{text-align:right;white-space:nowrap}"

/* ---- escaping ---- */

static const char *html_of(uint8_t c)
{
    return c == '&'    ? "&amp;"
           : c == '<'  ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '"'  ? "&quot;"
           : c == '\'' ? "&#39;"
                       : NULL;
}

static void put_html(struct hd_buf *out, struct hd_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *name = html_of(text.ptr[i]);
        if (name != NULL) {
            hd_buf_str(out, name);
        } else {
            hd_buf_byte(out, text.ptr[i]);
        }
    }
}

/* What begins emphasis, code, links, tables, HTML or, at the beginning, a list or a
 * heading; and what makes an address of "http://", "www." and "user@host". */
static bool is_markup(struct hd_slice text, size_t at)
{
    static const char anywhere[] = "\\`*_[]<>|~&@", first[] = "+-=#";
    uint8_t c = text.ptr[at];
    struct hd_slice rest = hd_slice_from(text, at);
    bool is_www =
        c == '.' && hd_slice_ends_nocase(hd_slice_head(text, at), HD_SLICE("www"));
    bool is_numbered = c == '.' && at > 0 && hd_is_digit(text.ptr[at - 1]) &&
                       at + 1 < text.len && text.ptr[at + 1] == ' ';
    return memchr(anywhere, c, sizeof(anywhere) - 1) != NULL || is_www || is_numbered ||
           (at == 0 && memchr(first, c, sizeof(first) - 1) != NULL) ||
           hd_slice_starts(rest, HD_SLICE("://"));
}

static void put_markdown(struct hd_buf *out, struct hd_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_markup(text, i)) {
            hd_buf_byte(out, '\\');
        }
        hd_buf_byte(out, text.ptr[i]);
    }
}

static void put(struct con_paper *paper, const char *text)
{
    struct hd_buf plain;
    hd_buf_init(&plain, 0);
    hd_utf8_escape(&plain, hd_slice_str(text));
    if (paper->is_html) {
        put_html(paper->out, hd_buf_slice(&plain));
    } else {
        put_markdown(paper->out, hd_buf_slice(&plain));
    }
    paper->out->err = paper->out->err == HD_OK ? plain.err : paper->out->err;
    hd_buf_fini(&plain);
}

static void put_between(struct con_paper *paper, const char *before, const char *text,
                        const char *after)
{
    hd_buf_str(paper->out, before);
    put(paper, text);
    hd_buf_str(paper->out, after);
}

static void put_v(struct con_paper *paper, const char *const *around, const char *fmt,
                  va_list args) HD_PRINTF(3, 0);
static void put_v(struct con_paper *paper, const char *const *around, const char *fmt,
                  va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0) {
        paper->out->err = HD_ENOMEM;
        return;
    }
    put_between(paper, around[0], text, around[1]);
    free(text);
}

static void end_list(struct con_paper *paper)
{
    if (paper->is_list) {
        hd_buf_str(paper->out, paper->is_html ? "</ul>\n" : "\n");
    }
    paper->is_list = false;
}

/* ---- blocks ---- */

void con_paper_begin(struct con_paper *paper, const char *language, const char *title)
{
    if (!paper->is_html) {
        put_between(paper, "# ", title, "\n\n");
        return;
    }
    hd_buf_printf(
        paper->out,
        "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
        "'none'; style-src 'unsafe-inline'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
        language);
    put_between(paper, "", title,
                "</title>\n<style>" STYLE "</style>\n</head>\n<body>\n");
    put_between(paper, "<h1>", title, "</h1>\n");
}

void con_paper_end(struct con_paper *paper)
{
    end_list(paper);
    hd_buf_str(paper->out, paper->is_html ? "</body>\n</html>\n" : "");
}

void con_paper_heading(struct con_paper *paper, const char *text)
{
    end_list(paper);
    put_between(paper, paper->is_html ? "<h2>" : "## ", text,
                paper->is_html ? "</h2>\n" : "\n\n");
}

void con_paper_text(struct con_paper *paper, const char *fmt, ...)
{
    static const char *const html[] = {"<p>", "</p>\n"}, *const markdown[] = {"", "\n\n"};
    va_list args;
    end_list(paper);
    va_start(args, fmt);
    put_v(paper, paper->is_html ? html : markdown, fmt, args);
    va_end(args);
}

void con_paper_item(struct con_paper *paper, const char *fmt, ...)
{
    static const char *const html[] = {"<li>", "</li>\n"};
    static const char *const markdown[] = {"- ", "\n"};
    va_list args;
    if (!paper->is_list && paper->is_html) {
        hd_buf_str(paper->out, "<ul>\n");
    }
    paper->is_list = true;
    va_start(args, fmt);
    put_v(paper, paper->is_html ? html : markdown, fmt, args);
    va_end(args);
}

/* ---- tables ---- */

static void open_table(struct con_paper *paper, const char *const *heads)
{
    end_list(paper);
    for (paper->columns = 0;
         paper->columns < CON_PAPER_COLUMNS && heads[paper->columns] != NULL;
         paper->columns++) {
    }
    hd_buf_str(paper->out, paper->is_html ? "<table>\n<tr>" : "|");
}

static const char *cell_end(const struct con_paper *paper, bool is_head)
{
    return !paper->is_html ? " |" : is_head ? "</th>" : "</td>";
}

void con_paper_table(struct con_paper *paper, const char *const *heads)
{
    open_table(paper, heads);
    for (size_t i = 0; i < paper->columns; i++) {
        paper->is_number[i] = heads[i][0] == '#';
        put_between(paper, paper->is_html ? "<th>" : " ", heads[i] + (heads[i][0] == '#'),
                    cell_end(paper, true));
    }
    if (paper->is_html) {
        hd_buf_str(paper->out, "</tr>\n");
        return;
    }
    hd_buf_str(paper->out, "\n|");
    for (size_t i = 0; i < paper->columns; i++) {
        hd_buf_str(paper->out, paper->is_number[i] ? " ---: |" : " --- |");
    }
    hd_buf_byte(paper->out, '\n');
}

void con_paper_row(struct con_paper *paper, const char *const *cells)
{
    hd_buf_str(paper->out, paper->is_html ? "<tr>" : "|");
    for (size_t i = 0; i < paper->columns; i++) {
        const char *begin = !paper->is_html       ? " "
                            : paper->is_number[i] ? "<td class=\"n\">"
                                                  : "<td>";
        put_between(paper, begin, cells[i], cell_end(paper, false));
    }
    hd_buf_str(paper->out, paper->is_html ? "</tr>\n" : "\n");
}

void con_paper_table_end(struct con_paper *paper)
{
    hd_buf_str(paper->out, paper->is_html ? "</table>\n" : "\n");
}
