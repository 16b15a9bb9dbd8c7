/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses an integration may be at: rules of its scope, compiled once
 * and asked at connect with the resolved address, so that a name that changes
 * its mind (DNS rebinding) gains nothing. Runs in berthd (validation) and in
 * jobs (decision). Pure.
 */
#ifndef CORE_NET_POLICY_H
#define CORE_NET_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/fail.h"

/* A network, as 16 bytes; an IPv4 one is ::ffff:0:0/96 and below. */
struct cidr {
	unsigned char bytes[16];
	uint8_t bit_count;
};

/* "10.0.0.0/8", "fd00::/8", or one address. BERTH_E_INVALID says what is
 * wrong, host bits below the prefix included. */
MUST_USE int cidr_parse(const char *text, struct cidr *ret, struct berth_error *err);

#define POLICY_NETWORK_MAX 256
struct policy {
	struct cidr *allow, *deny;
	size_t allow_count, deny_count;
	bool private_ok; /* loopback and private addresses, without being in allow */
	bool is_quiet;   /* a refusal is BERTH_E_UNAVAILABLE: like a port that is closed */
};

/* Zeroed memory is the policy of nothing configured: public addresses only. */
MUST_USE int policy_add(struct policy *p, bool is_deny, const char *cidr_text,
			struct berth_error *err);
void policy_done(struct policy *p);

/* May a sockaddr (AF_INET or AF_INET6) be connected to? BERTH_E_ADDRESS (quiet:
 * BERTH_E_UNAVAILABLE) with a sentence that names the address and the rule. IPv4 inside IPv6
 * (mapped, compatible, 64:ff9b::/96, 6to4, Teredo) is judged as the IPv4 address too. Never:
 * metadata services, link-local, multicast, broadcast, unspecified. */
MUST_USE int policy_check(const struct policy *p, const void *sockaddr, uint32_t byte_count,
			  struct berth_error *err);

#endif
