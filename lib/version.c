/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/main.h>

const char hd_version[] = HD_VERSION;
