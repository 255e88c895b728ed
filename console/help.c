/* SPDX-License-Identifier: Apache-2.0
 *
 * Help, shell completion and man pages, all from the tables in commands.c.
 */
#include <haidang/main.h>

#include <stdio.h>
#include <string.h>

#include "console/command.h"
#include "console/show.h"

#define HELP_INDENT 31 /* where the texts of options begin */

static const char *summary(const struct con_command *command)
{
    return con_show_env_is_vietnamese() ? command->summary_vi : command->summary;
}

void con_overview(FILE *out)
{
    bool vi = con_show_env_is_vietnamese();
    (void)fputs(
        vi ? "haidang: bảng điều khiển của Hải Đăng, hệ thống thu thập và phân tích "
             "nhật ký\n\n"
             "cách dùng: haidang LỆNH [TÙY CHỌN]\n\n"
           : "haidang: the console of Hải Đăng, log collector and analyser\n\n"
             "usage: haidang COMMAND [OPTIONS]\n\n",
        out);
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        (void)fprintf(out, "  %-14s %s\n", c->name, summary(c));
    }
    (void)fputs(vi ? "\nXem thêm: 'haidang help LỆNH' hoặc 'haidang LỆNH --help'.\n"
                   : "\n'haidang help COMMAND' or 'haidang COMMAND --help' says more.\n",
                out);
}

/* Words in lines of at most `width` columns, behind the first indented. */
static void wrap(FILE *out, const char *text, size_t width)
{
    size_t column = 0;
    struct hd_slice rest = hd_slice_str(text), word;
    while (hd_slice_split(&rest, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > width) {
            (void)fprintf(out, "\n%*s", HELP_INDENT, "");
            column = 0;
        }
        (void)fprintf(out, "%s%.*s", column > 0 ? " " : "", HD_SLICE_FMT(word));
        column += word.len + (column > 0);
    }
    (void)fputc('\n', out);
}

void con_command_help(const struct con_command *command, FILE *out)
{
    (void)fprintf(out, "usage: haidang %s%s%s%s\n\n%s\n", command->name,
                  command->options != NULL ? " [OPTIONS]" : "",
                  command->operands[0] != '\0' ? " " : "", command->operands,
                  summary(command));
    if (command->details != NULL) {
        (void)fprintf(out, "\n%s\n", command->details);
    }
    if (command->options == NULL) {
        return;
    }
    size_t width = con_show_width();
    (void)fputs("\noptions:\n", out);
    for (const struct con_option *o = command->options; o->name != NULL; o++) {
        char left[64];
        (void)snprintf(left, sizeof(left), "--%s%s%s", o->name,
                       o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
        (void)fprintf(out, "  %c%c%c %-24s ", o->letter != 0 ? '-' : ' ',
                      o->letter != 0 ? o->letter : ' ', o->letter != 0 ? ',' : ' ', left);
        wrap(out, o->help, width > 2 * HELP_INDENT ? width - HELP_INDENT : HELP_INDENT);
    }
}

const struct con_command *con_command_find(int argc, char **argv, int *words)
{
    char two[64];
    *words = 0;
    if (argc < 1) {
        return NULL;
    }
    (void)snprintf(two, sizeof(two), "%s %s", argv[0], argc > 1 ? argv[1] : "");
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        if (strcmp(c->name, argv[0]) == 0 || strcmp(c->name, two) == 0) {
            *words = strcmp(c->name, argv[0]) == 0 ? 1 : 2;
            return c;
        }
    }
    return NULL;
}

/* ---- completion ---- */

static void bash_options(const struct con_command *command)
{
    (void)printf("    '%s') words='--help", command->name);
    for (const struct con_option *o = command->options; o != NULL && o->name != NULL;
         o++) {
        (void)printf(" --%s", o->name);
    }
    (void)printf("' ;;\n");
}

static void bash_choices(void)
{
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        for (const struct con_option *o = c->options; o != NULL && o->name != NULL; o++) {
            if (o->choices != NULL && o->choices[0] != '@') {
                (void)printf("    '%s --%s') COMPREPLY=($(compgen -W '%s' -- \"$cur\")); "
                             "return ;;\n",
                             c->name, o->name, o->choices);
            }
        }
    }
}

/* What may follow the first word of commands that have two. */
static void bash_second_words(const char *first)
{
    size_t len = strlen(first);
    (void)printf("    %s) COMPREPLY=($(compgen -W '", first);
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        if (strncmp(c->name, first, len) == 0 && c->name[len] == ' ') {
            (void)printf("%s ", c->name + len + 1);
        }
    }
    (void)printf("' -- \"$cur\")); return ;;\n");
}

int con_run_completion(const struct con_args *args)
{
    if (strcmp(args->operands[0], "bash") != 0) {
        return con_fail(HD_EXIT_USAGE, "completion: only 'bash' is known, not '%s'",
                        args->operands[0]);
    }
    (void)printf(
        "# bash completion of haidang; put it into "
        "/usr/share/bash-completion/completions/haidang\n"
        "_haidang() {\n"
        "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
        "  local one=${COMP_WORDS[1]} two=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" "
        "name words\n"
        "  COMPREPLY=()\n"
        "  if [ \"$COMP_CWORD\" = 1 ]; then\n    COMPREPLY=($(compgen -W 'help");
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        (void)printf(" %.*s", (int)strcspn(c->name, " "), c->name);
    }
    (void)printf(
        "' -- \"$cur\")); return\n  fi\n  case $one in archive|ca|rules) name=$two ;; *) "
        "name=$one ;; esac\n"
        "  if [ \"$COMP_CWORD\" = 2 ]; then\n    case $one in\n");
    bash_second_words("archive");
    bash_second_words("ca");
    bash_second_words("rules");
    (void)printf("    esac\n  fi\n  case \"$name $prev\" in\n");
    bash_choices();
    (void)printf("  esac\n  case $name in\n");
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        bash_options(c);
    }
    (void)printf("  esac\n  if [[ $cur == -* ]]; then\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n  else\n"
                 "    COMPREPLY=($(compgen -f -- \"$cur\"))\n  fi\n}\n"
                 "complete -o filenames -F _haidang haidang\n");
    return HD_EXIT_OK;
}

/* ---- man pages ---- */

/* roff: a backslash and a line's leading dot or quote are special */
static void roff(const char *text)
{
    bool at_start = true;
    for (; *text != '\0'; text++) {
        if (at_start && (*text == '.' || *text == '\'')) {
            (void)fputs("\\&", stdout);
        }
        if (*text == '\\' || *text == '-') {
            (void)fputc('\\', stdout);
        }
        (void)fputc(*text, stdout);
        at_start = *text == '\n';
    }
}

static void man_command(const struct con_command *command)
{
    (void)printf(".SS \"");
    roff(command->name);
    (void)printf("%s%s\"\n", command->operands[0] != '\0' ? " " : "", command->operands);
    roff(command->summary);
    (void)printf("\n");
    if (command->details != NULL) {
        (void)printf(".PP\n.nf\n");
        roff(command->details);
        (void)printf("\n.fi\n");
    }
    for (const struct con_option *o = command->options; o != NULL && o->name != NULL;
         o++) {
        (void)printf(".TP\n.B \\-\\-");
        roff(o->name);
        (void)printf("%s%s\n", o->value != NULL ? " " : "",
                     o->value != NULL ? o->value : "");
        roff(o->help);
        (void)printf("\n");
    }
}

int con_run_man(const struct con_args *args)
{
    (void)args;
    (void)printf(
        ".TH HAIDANG 1 \"\" \"haidang %s\" \"Hai Dang\"\n.SH NAME\n"
        "haidang \\- console of the Hai Dang log collector and analyser\n"
        ".SH SYNOPSIS\n.B haidang\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH COMMANDS\n",
        hd_version);
    for (const struct con_command *c = con_commands; c->name != NULL; c++) {
        man_command(c);
    }
    (void)printf(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 3 input refused, "
                 "4 certificate trouble, 6 journal trouble.\n"
                 ".SH SEE ALSO\nhaidang\\-agent(8), haidang\\-correlator(8), "
                 "haidang\\-forwarder(8)\n");
    return HD_EXIT_OK;
}
