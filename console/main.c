/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang: what people type. Finds the command, parses its options, runs it.
 */
#include <haidang/diag.h>
#include <haidang/log.h>
#include <haidang/main.h>

#include <stdio.h>
#include <string.h>

#include "console/command.h"

#define COMMANDS_MAX 64U

/* Names what was not found, and what was perhaps meant. */
static int unknown(int argc, char **argv)
{
    char name[64];
    const char *names[COMMANDS_MAX];
    size_t n = 0, len = strlen(argv[0]);
    struct hd_diag_hint hint;
    bool is_first_word = false;
    char second[256] = "";
    for (const struct con_command *c = con_commands; c->name != NULL && n < COMMANDS_MAX;
         c++) {
        names[n++] = c->name;
        if (strncmp(c->name, argv[0], len) == 0 && c->name[len] == ' ') {
            size_t used = strlen(second);
            (void)snprintf(second + used, sizeof(second) - used, "%s%s",
                           is_first_word ? ", " : "", c->name + len + 1);
            is_first_word = true;
        }
    }
    if (is_first_word && argc == 1) {
        return con_fail(HD_EXIT_USAGE,
                        "a second word is missing behind '%s': %s; see 'haidang help'",
                        argv[0], second);
    }
    bool is_two = is_first_word;
    (void)snprintf(name, sizeof(name), "%s%s%s", argv[0], is_two ? " " : "",
                   is_two ? argv[1] : "");
    return con_fail(HD_EXIT_USAGE, "no command '%s'%s; see 'haidang help'", name,
                    hd_diag_hint(hd_slice_str(name), names, n, &hint));
}

static int help(int argc, char **argv)
{
    int words = 0;
    const struct con_command *command = con_command_find(argc, argv, &words);
    if (argc > 0 && command == NULL) {
        return unknown(argc, argv);
    }
    if (command != NULL) {
        con_command_help(command, stdout);
    } else {
        con_overview(stdout);
    }
    return HD_EXIT_OK;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        con_overview(stderr);
        return HD_EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return help(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("haidang %s\n", hd_version);
        return HD_EXIT_OK;
    }
    int words = 0;
    const struct con_command *command = con_command_find(argc - 1, argv + 1, &words);
    if (command == NULL) {
        return unknown(argc - 1, argv + 1);
    }
    struct con_args args;
    bool wants_help = false;
    if (con_args_parse(command, argc - words, argv + words, &args, &wants_help) != 0) {
        return HD_EXIT_USAGE;
    }
    if (wants_help) {
        con_command_help(command, stdout);
        return HD_EXIT_OK;
    }
    return command->run(&args);
}

int main(int argc, char **argv)
{
    const struct hd_log_opts quiet = {.level = HD_LOG_WARN, .fd = 2, .burst = 10};
    hd_log_setup(&quiet);
    int code = dispatch(argc, argv);
    bool is_lost = fflush(stdout) != 0 || ferror(stdout) != 0;
    return is_lost && code == HD_EXIT_OK
               ? con_fail(HD_EXIT_RUNTIME, "the output cannot be written")
               : code;
}
