/* SPDX-License-Identifier: Apache-2.0
 *
 * Error codes of every room. A function that can fail returns int: 0 or a negative HD_E*.
 * errno never crosses a room: convert at the system call with hd_err_from_errno(). Text
 * for people is logged once, by whoever handles the error; text about *input*
 * (configuration, rules, profiles) goes through <haidang/diag.h>.
 */
#pragma once

#define HD_MUST_USE          __attribute__((warn_unused_result))
#define HD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HD_UNUSED            __attribute__((unused))

#define HD_ERR_MAP(X)                                                                    \
    X(HD_ENOMEM, -1, "out of memory")                                                    \
    X(HD_EINVAL, -2, "invalid argument or value")                                        \
    X(HD_ERANGE, -3, "value out of range")                                               \
    X(HD_EPARSE, -4, "malformed input")                                                  \
    X(HD_EIO, -5, "input/output error")                                                  \
    X(HD_ENOENT, -6, "not found")                                                        \
    X(HD_EEXIST, -7, "exists already")                                                   \
    X(HD_EACCES, -8, "permission denied")                                                \
    X(HD_ENOSPC, -9, "no space left")                                                    \
    X(HD_EFULL, -10, "a bounded queue, window or table is full")                         \
    X(HD_EAGAIN, -11, "nothing now; try again when woken")                               \
    X(HD_ECORRUPT, -12, "stored data does not verify")                                   \
    X(HD_EVERSION, -13, "version not supported")                                         \
    X(HD_EPEER, -14, "the peer broke the protocol")                                      \
    X(HD_ECLOSED, -15, "closed")                                                         \
    X(HD_ETIMEDOUT, -16, "timed out")                                                    \
    X(HD_ECONN, -17, "connection failed")                                                \
    X(HD_ETLS, -18, "TLS failed")                                                        \
    X(HD_EUNSUPPORTED, -19, "not supported")                                             \
    X(HD_EBUSY, -20, "in use")                                                           \
    X(HD_ELIMIT, -21, "a configured limit was reached")                                  \
    X(HD_EBUG, -22, "internal invariant broken; please report")                          \
    X(HD_ENOKEY, -23, "encrypted with a key that is not configured")

#define HD_ERR_ENUM(name, value, text) name = value,
enum hd_err { HD_OK = 0, HD_ERR_MAP(HD_ERR_ENUM) };
#undef HD_ERR_ENUM

/* Exit codes of every program, documented in docs/operations.md. */
enum hd_exit {
    HD_EXIT_OK = 0,
    HD_EXIT_RUNTIME = 1, /* an unexpected failure while running */
    HD_EXIT_USAGE = 2,   /* wrong command line */
    HD_EXIT_CONFIG = 3,  /* configuration, rules, profile or inventory refused */
    HD_EXIT_CERT = 4,  /* certificate or key missing, unreadable, expired, not matching */
    HD_EXIT_BIND = 5,  /* an address to listen on, or a capture device, cannot be had */
    HD_EXIT_STORE = 6, /* a journal directory cannot be opened, locked or written */
    HD_EXIT_REFUSED =
        7, /* refused on purpose: unaccepted profile, http://, wrong owner */
};

/* "HD_EIO"; never NULL. */
const char *hd_err_name(int err);

/* One short English sentence part; never NULL. */
const char *hd_err_text(int err);

/* Maps a positive errno value to the nearest HD_E*; unknown values become HD_EIO. */
int hd_err_from_errno(int errnum);

/* Recoverable assertion: true when `cond` fails; logs the place. Use as
 *     if (hd_fails(len <= cap)) return HD_EBUG;
 * Plain assert() is banned outside tests. */
#define hd_fails(cond)                                                                   \
    (__builtin_expect(!(cond), 0) && hd_fails_at(#cond, __FILE__, __LINE__))
int hd_fails_at(const char *cond, const char *file, int line);
