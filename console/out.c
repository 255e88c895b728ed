/* SPDX-License-Identifier: Apache-2.0 */
#include "console/out.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "console/command.h"

static int write_all(struct hd_slice rest)
{
    while (rest.len > 0) {
        ssize_t n = write(STDOUT_FILENO, rest.ptr, rest.len);
        if (n < 0 && errno != EINTR) {
            return hd_err_from_errno(errno);
        }
        rest = hd_slice_from(rest, n > 0 ? (size_t)n : 0);
    }
    return HD_OK;
}

int con_out_flush(struct hd_buf *out)
{
    int err = out->err;
    if (fflush(stdout) != 0) { /* what printf has written comes first */
        err = err == HD_OK ? hd_err_from_errno(errno) : err;
    }
    err = err == HD_OK ? write_all(hd_buf_slice(out)) : err;
    hd_buf_clear(out);
    return err;
}

int con_out_print(struct hd_buf *out)
{
    int err = con_out_flush(out);
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_RUNTIME, "the output cannot be written: %s",
                                   hd_err_text(err));
}
