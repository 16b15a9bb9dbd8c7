/* SPDX-License-Identifier: Apache-2.0 */
/* PEM texts looked at before they are used, so that a wrong paste is told by
 * name and not as a handshake that fails some day.
 */
#ifndef CORE_NET_PEM_H
#define CORE_NET_PEM_H

#include "core/base/fail.h"

/* One or more certificates, nothing encrypted. BERTH_E_INVALID. */
MUST_USE int pem_check_ca(const char *pem, struct berth_error *err);
/* A certificate and its private key; key NULL: in the same text. */
MUST_USE int pem_check_pair(const char *cert, const char *key, struct berth_error *err);

#endif
