/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTPS server of `berthd --hooks`: libmicrohttpd with TLS of GnuTLS, turned by
 * the process's one loop. Each connection has an end in time, whatever it sends.
 */
#ifndef CORE_HOOKS_RECEIVE_H
#define CORE_HOOKS_RECEIVE_H

#include "core/hooks/forward.h"
#include "core/hooks/secrets.h"
#include "core/process/loop.h"

struct receive_settings {
	struct loop *loop;
	const char *listen;                 /* ADDRESS:PORT; [ADDRESS]:PORT for IPv6 */
	const char *certificate, *key;      /* PEM texts; copied by libmicrohttpd's start */
	const struct hook_secrets *secrets; /* may change between turns */
	struct forward *forward;
};
struct receiver;
/* Listens. BERTH_E_INVALID: address, certificate or key are not right. */
MUST_USE int receiver_new(const struct receive_settings *s, struct receiver **ret,
			  struct berth_error *err);
void receiver_free(struct receiver *r); /* accepts NULL */

#endif
