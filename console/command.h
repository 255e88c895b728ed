/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands of `haidang`: each is one file and one row in commands.c. Its options are a
 * table, from which parsing, --help, shell completion and the man pages all come.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <haidang/err.h>

enum con_option_kind {
    CON_FLAG,  /* --json */
    CON_VALUE, /* --rule WORD */
    CON_LIST,  /* --host NAME, as often as wanted */
};

struct con_option {
    const char *name; /* long name; a zeroed row ends the table */
    char letter;      /* short form or 0 */
    enum con_option_kind kind;
    const char *value; /* what the value is called in help: "SEVERITY" */
    const char *help;
    const char *choices; /* for completion: "en vi"; NULL = anything; "@files", "@dirs" */
};

#define CON_OPTIONS_MAX 32
#define CON_LIST_MAX    64

/* What the command line gave; views into argv. Indexed as the command's option table. */
struct con_args {
    const struct con_option *options;
    bool is_set[CON_OPTIONS_MAX];
    const char *value[CON_OPTIONS_MAX]; /* the last one given */
    const char *list[CON_LIST_MAX];     /* of the CON_LIST options, all together */
    size_t list_of[CON_LIST_MAX];       /* of which option each is */
    size_t n_list;
    const char *const *operands;
    size_t n_operands;
};

struct con_command {
    const char *name;       /* "tail", "ca issue" */
    const char *operands;   /* "FILE|-", "" */
    const char *summary;    /* one line */
    const char *summary_vi; /* the same in Vietnamese */
    const char *details;    /* paragraphs for help and man page; may be NULL */
    const struct con_option *options;
    size_t operands_min, operands_max;
    int (*run)(const struct con_args *args); /* returns an HD_EXIT_* code */
};

extern const struct con_command con_commands[]; /* ended by a zeroed row */

/* Parses argv after the command's name. Prints what is wrong; HD_EINVAL. `help` is set
 * when
 * --help was given. */
int con_args_parse(const struct con_command *command, int argc, char **argv,
                   struct con_args *args, bool *help) HD_MUST_USE;

/* Value of an option by name; NULL (or false) when it was not given. */
const char *con_args_value(const struct con_args *args, const char *name);
bool con_args_flag(const struct con_args *args, const char *name);
/* The next value of a CON_LIST option; *at = 0 at first. NULL: no more. */
const char *con_args_next(const struct con_args *args, const char *name, size_t *at);

/* The command whose name is argv's first one or two words; *words = how many. NULL: none.
 */
const struct con_command *con_command_find(int argc, char **argv, int *words);
void con_command_help(const struct con_command *command, FILE *out);
void con_overview(FILE *out);

/* Prints "haidang: text" to standard error and returns `exit_code`. */
int con_fail(int exit_code, const char *fmt, ...) HD_PRINTF(2, 3);

/* ---- run functions of the commands ---- */
int con_run_tail(const struct con_args *args);
int con_run_canary(const struct con_args *args);
int con_run_report(const struct con_args *args);
int con_run_losses(const struct con_args *args);
int con_run_sources(const struct con_args *args);
int con_run_status(const struct con_args *args);
int con_run_search(const struct con_args *args);
int con_run_decode(const struct con_args *args);
int con_run_rules_bench(const struct con_args *args);
int con_run_rules_check(const struct con_args *args);
int con_run_rules_convert(const struct con_args *args);
int con_run_rules_coverage(const struct con_args *args);
int con_run_rules_explain(const struct con_args *args);
int con_run_rules_list(const struct con_args *args);
int con_run_rules_match(const struct con_args *args);
int con_run_rules_test(const struct con_args *args);
int con_run_backtest(const struct con_args *args);
int con_run_archive_compare(const struct con_args *args);
int con_run_archive_export(const struct con_args *args);
int con_run_archive_import(const struct con_args *args);
int con_run_archive_key(const struct con_args *args);
int con_run_archive_list(const struct con_args *args);
int con_run_archive_compact(const struct con_args *args);
int con_run_archive_repair(const struct con_args *args);
int con_run_archive_verify(const struct con_args *args);
int con_run_prove(const struct con_args *args);
int con_run_verify(const struct con_args *args);
int con_run_ca_init(const struct con_args *args);
int con_run_ca_issue(const struct con_args *args);
int con_run_ca_revoke(const struct con_args *args);
int con_run_completion(const struct con_args *args);
int con_run_man(const struct con_args *args);
