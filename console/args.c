/* SPDX-License-Identifier: Apache-2.0
 *
 * Command line of one command, by its option table (getopt_long underneath).
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/diag.h>

#include "console/command.h"

#define LONG_BASE 1000 /* getopt values of options: LONG_BASE + index */

static size_t option_count(const struct con_option *options)
{
    size_t n = 0;
    while (options != NULL && options[n].name != NULL && n < CON_OPTIONS_MAX) {
        n++;
    }
    return n;
}

int con_fail(int exit_code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fputs("haidang: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    return exit_code;
}

static void build_tables(const struct con_option *options, size_t n, struct option *longs,
                         char *shorts)
{
    size_t used = 0;
    shorts[used++] = ':'; /* a value that is missing is told apart */
    shorts[used++] = 'h';
    for (size_t i = 0; i < n; i++) {
        int wants_value = options[i].kind == CON_FLAG ? no_argument : required_argument;
        longs[i] =
            (struct option){options[i].name, wants_value, NULL, LONG_BASE + (int)i};
        if (options[i].letter != 0) {
            shorts[used++] = options[i].letter;
            if (wants_value == required_argument) {
                shorts[used++] = ':';
            }
        }
    }
    longs[n] = (struct option){"help", no_argument, NULL, 'h'};
    longs[n + 1] = (struct option){0};
    shorts[used] = '\0';
}

static size_t option_index(const struct con_option *options, size_t n, int found)
{
    if (found >= LONG_BASE) {
        return (size_t)(found - LONG_BASE);
    }
    for (size_t i = 0; i < n; i++) {
        if (options[i].letter == (char)found) {
            return i;
        }
    }
    return n;
}

static int take(struct con_args *args, size_t index, const char *value)
{
    args->is_set[index] = true;
    args->value[index] = value;
    if (args->options[index].kind == CON_LIST) {
        if (args->n_list == CON_LIST_MAX) {
            return con_fail(HD_EINVAL, "--%s given more than %d times",
                            args->options[index].name, CON_LIST_MAX);
        }
        args->list_of[args->n_list] = index;
        args->list[args->n_list++] = value;
    }
    return HD_OK;
}

static int check_operands(const struct con_command *command, const struct con_args *args)
{
    if (args->n_operands < command->operands_min) {
        return con_fail(HD_EINVAL, "%s: %s is missing; see 'haidang help %s'",
                        command->name, command->operands, command->name);
    }
    if (args->n_operands > command->operands_max) {
        return con_fail(HD_EINVAL, "%s: '%s' is one word too many; see 'haidang help %s'",
                        command->name, args->operands[command->operands_max],
                        command->name);
    }
    return HD_OK;
}

/* Says what is wrong with the option that getopt has stopped at. */
static int refuse_option(const struct con_command *command, int found, char **argv)
{
    const char *names[CON_OPTIONS_MAX];
    const char letter[] = {'-', (char)optopt, '\0'};
    const char *text = optopt > 0 && optopt < LONG_BASE ? letter : argv[optind - 1];
    struct hd_diag_hint hint = {""};
    size_t n = option_count(command->options);
    if (found == ':') {
        return con_fail(HD_EINVAL, "%s: %s wants a value; see 'haidang help %s'",
                        command->name, text, command->name);
    }
    for (size_t i = 0; i < n; i++) {
        names[i] = command->options[i].name;
    }
    if (text != letter) {
        (void)hd_diag_hint(hd_slice_str(text + 2), names, n, &hint);
    }
    return con_fail(HD_EINVAL, "%s: '%s' is no option of it%s; see 'haidang help %s'",
                    command->name, text, hint.text, command->name);
}

int con_args_parse(const struct con_command *command, int argc, char **argv,
                   struct con_args *args, bool *help)
{
    struct option longs[CON_OPTIONS_MAX + 2];
    char shorts[2 * CON_OPTIONS_MAX + 3];
    size_t n = option_count(command->options);
    *args = (struct con_args){.options = command->options};
    *help = false;
    build_tables(command->options, n, longs, shorts);
    optind = opterr = 0;
    for (;;) {
        int found = getopt_long(argc, argv, shorts, longs, NULL);
        if (found == -1) {
            break;
        }
        if (found == 'h') {
            *help = true;
            return HD_OK;
        }
        size_t index = option_index(command->options, n, found);
        if (found == '?' || found == ':' || index >= n) {
            return refuse_option(command, found, argv);
        }
        int err = take(args, index, optarg);
        if (err != 0) {
            return err;
        }
    }
    args->operands = (const char *const *)argv + optind;
    args->n_operands = (size_t)(argc - optind);
    return check_operands(command, args);
}

const char *con_args_value(const struct con_args *args, const char *name)
{
    for (size_t i = 0; i < option_count(args->options); i++) {
        if (strcmp(args->options[i].name, name) == 0) {
            return args->is_set[i] ? args->value[i] : NULL;
        }
    }
    return NULL;
}

bool con_args_flag(const struct con_args *args, const char *name)
{
    for (size_t i = 0; i < option_count(args->options); i++) {
        if (strcmp(args->options[i].name, name) == 0) {
            return args->is_set[i];
        }
    }
    return false;
}

const char *con_args_next(const struct con_args *args, const char *name, size_t *at)
{
    while (*at < args->n_list) {
        size_t i = (*at)++;
        if (strcmp(args->options[args->list_of[i]].name, name) == 0) {
            return args->list[i];
        }
    }
    return NULL;
}
