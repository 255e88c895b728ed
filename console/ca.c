/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang ca init | issue | revoke.
 */
#include <haidang/num.h>

#include <stdio.h>
#include <string.h>

#include "console/command.h"
#include "console/pki/pki.h"

#define DEFAULT_DIR "/etc/haidang/ca"
#define CA_DAYS     3650
#define CERT_DAYS   825

static const char *dir_of(const struct con_args *args)
{
    const char *dir = con_args_value(args, "dir");
    return dir != NULL ? dir : DEFAULT_DIR;
}

static int days_of(const struct con_args *args, unsigned absent, unsigned *days)
{
    const char *text = con_args_value(args, "days");
    uint32_t value = absent;
    if (text != NULL &&
        (hd_num_u32(hd_slice_str(text), CA_DAYS, &value) != 0 || value == 0)) {
        return con_fail(HD_EINVAL, "--days is a number from 1 to %d, not '%s'", CA_DAYS,
                        text);
    }
    *days = value;
    return HD_OK;
}

static int fail(int err, const char *why)
{
    return con_fail(err == HD_EINVAL ? HD_EXIT_USAGE : HD_EXIT_CERT, "%s", why);
}

int con_run_ca_init(const struct con_args *args)
{
    char why[CON_PKI_WHY];
    unsigned days = 0;
    const char *name = con_args_value(args, "name");
    if (days_of(args, CA_DAYS, &days) != 0) {
        return HD_EXIT_USAGE;
    }
    int err = con_pki_init(dir_of(args), name != NULL ? name : "Hai Dang CA", days, why);
    if (err != 0) {
        return fail(err, why);
    }
    (void)printf(
        "made %s/ca.crt (copy it to every machine), ca.key (keep it here) and crl.pem\n",
        dir_of(args));
    return HD_EXIT_OK;
}

int con_run_ca_issue(const struct con_args *args)
{
    char why[CON_PKI_WHY];
    struct con_pki_issue issue = {
        .name = args->operands[0],
        .role = con_args_flag(args, "server") ? CON_PKI_SERVER : CON_PKI_AGENT,
        .hosts = args->list,
        .n_hosts = args->n_list,
        .out_dir = con_args_value(args, "out"),
    };
    if (days_of(args, CERT_DAYS, &issue.days) != 0) {
        return HD_EXIT_USAGE;
    }
    int err = con_pki_issue(dir_of(args), &issue, why);
    if (err != 0) {
        return fail(err, why);
    }
    const char *out = issue.out_dir != NULL ? issue.out_dir : "";
    const char *sub = issue.out_dir != NULL ? "" : "/issued";
    const char *base = issue.out_dir != NULL ? "" : dir_of(args);
    (void)printf("%s%s%s/%s.crt\n%s%s%s/%s.key\n", base, out, sub, issue.name, base, out,
                 sub, issue.name);
    return HD_EXIT_OK;
}

int con_run_ca_revoke(const struct con_args *args)
{
    char why[CON_PKI_WHY];
    int err = con_pki_revoke(dir_of(args), args->operands[0], why);
    if (err != 0) {
        return fail(err, why);
    }
    (void)printf("revoked %s; copy %s/crl.pem to the correlator and send it SIGHUP\n",
                 args->operands[0], dir_of(args));
    return HD_EXIT_OK;
}
