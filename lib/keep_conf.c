/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema of the sections `timestamps` and `mirror`.
 */
#include <haidang/keep.h>

#include <haidang/clock.h>

#define SECOND        HD_NS_PER_SEC
#define DAY           (86400 * SECOND)
#define AT_TST(field) .offset = offsetof(struct hd_keep_stamps_conf, field)
#define AT_MIR(field) .offset = offsetof(struct hd_keep_mirror_conf, field)

const struct hd_conf_item hd_keep_stamps_items[] = {
    {.key = "enabled",
     .type = HD_CONF_BOOL,
     AT_TST(enabled),
     .def = "no",
     .help =
         "Write requests for time stamps (RFC 3161) of what is sealed into `stamps` of "
         "each journal's directory; the forwarder brings them to the authority."},
    {.key = "every",
     .type = HD_CONF_DURATION,
     AT_TST(every),
     .min = 0,
     .max = (36500 * DAY),
     .def = "0s",
     .help =
         "One for the newest file sealed within so long: the seals are a chain, and a "
         "stamp covers all files before. 0s = one for each file."},
    {.key = "alarm",
     .type = HD_CONF_DURATION,
     AT_TST(alarm),
     .min = SECOND,
     .max = (36500 * DAY),
     .def = "1d",
     .help = "A request that has no reply after so long is reported as a problem."},
    {0}};

const struct hd_conf_item hd_keep_mirror_items[] = {
    {.key = "dir",
     .type = HD_CONF_PATH,
     AT_MIR(dir),
     .help = "Directory of the second copy, on another disk or machine (NFS); below it "
             "one of the name of each journal. It must be there: the program never "
             "makes it, since what is missing may be a mount. None given: no mirror."},
    {.key = "same_disk",
     .type = HD_CONF_BOOL,
     AT_MIR(same_disk),
     .def = "no",
     .help = "May it be on the file system of what it copies? Such a copy does not "
             "outlive the disk, and a mount that is missing looks like it."},
    {.key = "retain_age",
     .type = HD_CONF_DURATION,
     AT_MIR(retain_age),
     .min = 0,
     .max = (36500 * DAY),
     .def = "0s",
     .help = "What was sealed longer ago goes from the mirror, whatever the "
             "journal keeps; 0s = nothing goes, also when the journal has removed it."},
    {.key = "alarm",
     .type = HD_CONF_DURATION,
     AT_MIR(alarm),
     .min = SECOND,
     .max = (36500 * DAY),
     .def = "1h",
     .help = "A segment that was sealed longer ago and is not in the mirror is reported "
             "as a problem."},
    {.key = "retry",
     .type = HD_CONF_DURATION,
     AT_MIR(retry),
     .min = HD_NS_PER_MS,
     .max = DAY,
     .def = "1m",
     .help = "After something hindered the mirror, it is tried again after so long."},
    {0}};
