/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of addresses: see address.h. The table is IANA's registry of special
 * purpose addresses, its entries that are not globally reachable.
 */
#include "core/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/scope.h"

static const struct {
	uint32_t net;
	int bits;
} special_v4[] = {
	{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
	{0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0a80000, 16}, {0xc6120000, 15},
	{0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4},
};

static bool is_public_v4(uint32_t ip)
{
	for (size_t i = 0; i < ARRAY_COUNT(special_v4); i++)
		if (ip >> (32 - special_v4[i].bits) ==
		    special_v4[i].net >> (32 - special_v4[i].bits))
			return false;
	return true;
}

static uint32_t v4_at(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool is_public_v6(const uint8_t *b)
{
	static const uint8_t zeros[12], nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(b, mapped, 12) || !memcmp(b, nat64, 12) || !memcmp(b, zeros, 12))
		return memcmp(b, zeros, 12) != 0 && is_public_v4(v4_at(b + 12));
	if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
		return is_public_v4(v4_at(b + 2));
	if (b[0] == 0x20 && b[1] == 0x01 && (b[2] & 0xfe) == 0) /* 2001::/23 */
		return false;
	if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8)
		return false;
	return (b[0] & 0xe0) == 0x20; /* 2000::/3 is all that is given out */
}

bool address_is_public(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, a, sizeof in);
		return is_public_v4(ntohl(in.sin_addr.s_addr));
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, a, sizeof in6);
		return is_public_v6(in6.sin6_addr.s6_addr);
	}
	return false;
}

void address_format(const struct sockaddr *a, char *to, size_t room)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	const char *done = NULL;

	if (a->sa_family == AF_INET) {
		memcpy(&in, a, sizeof in);
		done = inet_ntop(AF_INET, &in.sin_addr, to, (socklen_t)room);
	} else if (a->sa_family == AF_INET6) {
		memcpy(&in6, a, sizeof in6);
		done = inet_ntop(AF_INET6, &in6.sin6_addr, to, (socklen_t)room);
	}
	if (!done)
		snprintf(to, room, "an address of family %d", a->sa_family);
}

bool address_parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(ret, &in, sizeof in);
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(ret, &in6, sizeof in6);
	else
		return false;
	return true;
}
