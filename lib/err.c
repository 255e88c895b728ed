/* SPDX-License-Identifier: Apache-2.0
 *
 * Names, texts and the errno table of the error codes. Thread: any; no state.
 */
#include <haidang/err.h>

#include <errno.h>

#include <haidang/log.h>

const char *hd_err_name(int err)
{
    switch (err) {
    case HD_OK:
        return "HD_OK";
#define ROW(name, value, text)                                                           \
    case value:                                                                          \
        return #name;
        HD_ERR_MAP(ROW)
#undef ROW
    default:
        return "HD_UNKNOWN";
    }
}

const char *hd_err_text(int err)
{
    switch (err) {
    case HD_OK:
        return "no error";
#define ROW(name, value, text)                                                           \
    case value:                                                                          \
        return text;
        HD_ERR_MAP(ROW)
#undef ROW
    default:
        return "unknown error";
    }
}

int hd_err_from_errno(int errnum)
{
    static const struct {
        int from;
        int to;
    } map[] = {
        {0, HD_OK},
        {ENOMEM, HD_ENOMEM},
        {EINVAL, HD_EINVAL},
        {ENAMETOOLONG, HD_EINVAL},
        {ENOTDIR, HD_EINVAL},
        {EISDIR, HD_EINVAL},
        {ELOOP, HD_EINVAL},
        {EADDRNOTAVAIL, HD_EINVAL},
        {ERANGE, HD_ERANGE},
        {EOVERFLOW, HD_ERANGE},
        {EFBIG, HD_ELIMIT},
        {ENOENT, HD_ENOENT},
        {ENODEV, HD_ENOENT},
        {ENXIO, HD_ENOENT},
        {ESRCH, HD_ENOENT},
        {EEXIST, HD_EEXIST},
        {ENOTEMPTY, HD_EEXIST},
        {EACCES, HD_EACCES},
        {EPERM, HD_EACCES},
        {EROFS, HD_EACCES},
        {ENOSPC, HD_ENOSPC},
        {EDQUOT, HD_ENOSPC},
        {EAGAIN, HD_EAGAIN},
        {EINTR, HD_EAGAIN},
        {EBUSY, HD_EBUSY},
        {ETXTBSY, HD_EBUSY},
        {EADDRINUSE, HD_EBUSY},
        {EMFILE, HD_ELIMIT},
        {ENFILE, HD_ELIMIT},
        {EPIPE, HD_ECLOSED},
        {ETIMEDOUT, HD_ETIMEDOUT},
        {ECONNREFUSED, HD_ECONN},
        {ECONNRESET, HD_ECONN},
        {ECONNABORTED, HD_ECONN},
        {EHOSTUNREACH, HD_ECONN},
        {ENETUNREACH, HD_ECONN},
        {ENETDOWN, HD_ECONN},
        {ENOTCONN, HD_ECONN},
        {ENOSYS, HD_EUNSUPPORTED},
        {EOPNOTSUPP, HD_EUNSUPPORTED},
        {EAFNOSUPPORT, HD_EUNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
        if (map[i].from == errnum) {
            return map[i].to;
        }
    }
    return HD_EIO;
}

int hd_fails_at(const char *cond, const char *file, int line)
{
    HD_LOG(ERROR, "lib", "invariant broken, please report", HD_KV_STR("condition", cond),
           HD_KV_STR("file", file), HD_KV_INT("line", line));
    return 1;
}
