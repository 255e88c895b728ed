/* SPDX-License-Identifier: Apache-2.0
 *
 * What lib/tls.c (files, configuration) shows to lib/tls_session.c (the engine).
 */
#pragma once
#include <openssl/ssl.h>

#include <haidang/tls.h>

#define HD_TLS_DATE_MAX 21 /* "2026-11-21T07:50:37Z" */

SSL_CTX *hd_tls_ctx(const struct hd_tls *tls); /* borrowed */
enum hd_tls_role hd_tls_role_of(const struct hd_tls *tls);

/* Subject common name; "" when there is none or it holds control bytes. */
void hd_tls_cert_cn(const X509 *cert, char out[HD_TLS_NAME_MAX]);
void hd_tls_format_time(const ASN1_TIME *time, char out[HD_TLS_DATE_MAX]);
