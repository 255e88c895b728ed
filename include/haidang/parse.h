/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pure parser says of the bytes it was shown. Parsers do no I/O, read no clock,
 * allocate nothing and log nothing.
 */
#pragma once

enum hd_parse {
    HD_PARSE_OK =
        0, /* one unit was read; the out parameter says how many bytes it took */
    HD_PARSE_MORE = 1, /* a prefix of a valid unit; call again with more bytes */
    HD_PARSE_BAD = -1, /* can never become valid */
};
