/* SPDX-License-Identifier: Apache-2.0 */
/* The address policy: see policy.h. Every address is turned into 16 bytes,
 * IPv4 as ::ffff:a.b.c.d, and looked up in three tables: never, private, and
 * what was configured.
 */
#include "core/net/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "core/base/text.h"

#define V4(a, b, c, d, n)                                                                          \
	{                                                                                          \
		{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, 96 + n                     \
	}

/* Reached by nobody, whatever is configured. The metadata services of EC2 (v4
 * and v6), Alibaba Cloud and Oracle Cloud stand outside link-local space too. */
static const struct {
	struct cidr net;
	const char *what;
} never[] = {
	{V4(169, 254, 169, 254, 32), "the metadata service of a cloud"},
	{V4(100, 100, 100, 200, 32), "the metadata service of a cloud"},
	{V4(192, 0, 0, 192, 32), "the metadata service of a cloud"},
	{{{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128},
	 "the metadata service of a cloud"},
	{{{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128},
	 "the metadata service of a cloud"},
	{V4(169, 254, 0, 0, 16), "a link-local address"},
	{V4(0, 0, 0, 0, 8), "an unspecified address"},
	{V4(224, 0, 0, 0, 4), "a multicast address"},
	{V4(255, 255, 255, 255, 32), "the broadcast address"},
	{V4(240, 0, 0, 0, 4), "a reserved address"},
	{{{0}, 128}, "an unspecified address"},
	{{{0xfe, 0x80}, 10}, "a link-local address"},
	{{{0xff}, 8}, "a multicast address"},
};

/* For platform administrators, or where allowed. */
static const struct {
	struct cidr net;
	const char *what;
} inner[] = {
	{V4(127, 0, 0, 0, 8), "a loopback address"},
	{V4(10, 0, 0, 0, 8), "a private address"},
	{V4(172, 16, 0, 0, 12), "a private address"},
	{V4(192, 168, 0, 0, 16), "a private address"},
	{V4(100, 64, 0, 0, 10), "a private address"},
	{V4(192, 0, 0, 0, 24), "a private address"},
	{V4(198, 18, 0, 0, 15), "a private address"},
	{{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}, "a loopback address"},
	{{{0xfc}, 7}, "a private address"},
	{{{0xfe, 0xc0}, 10}, "a private address"},
};

/* Where an IPv4 address stands inside an IPv6 one. */
static const struct {
	struct cidr net;
	uint8_t at;
	unsigned char flip; /* Teredo stores the complement */
} carriers[] = {
	{{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 96}, 12, 0},
	{{{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, 96}, 12, 0},
	{{{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, 12, 0},
	{{{0x20, 0x02}, 16}, 2, 0},
	{{{0x20, 0x01, 0, 0}, 32}, 12, 0xff},
};

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_in(const unsigned char *address, const struct cidr *net)
{
	unsigned whole = net->bit_count / 8, rest = net->bit_count % 8;
	if (memcmp(address, net->bytes, whole) != 0)
		return false;
	if (!rest)
		return true;
	unsigned char mask = (unsigned char)(0xff << (8 - rest));
	return ((address[whole] ^ net->bytes[whole]) & mask) == 0;
}

static bool has_host_bits(const struct cidr *net)
{
	for (unsigned bit = net->bit_count; bit < 128; bit++)
		if (net->bytes[bit / 8] & (0x80u >> (bit % 8)))
			return true;
	return false;
}

int cidr_parse(const char *text, struct cidr *ret, struct berth_error *err)
{
	char address[INET6_ADDRSTRLEN];
	struct cidr net = {.bit_count = 128};
	const char *slash = strchr(text, '/');
	size_t byte_count = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits, most = 128;

	if (byte_count >= sizeof address)
		return berth_fail(err, BERTH_E_INVALID, "'%.60s' is not a network", text);
	memcpy(address, text, byte_count);
	address[byte_count] = 0;
	if (inet_pton(AF_INET, address, net.bytes + 12) == 1) {
		memcpy(net.bytes, mapped, sizeof mapped);
		most = 32;
	} else if (inet_pton(AF_INET6, address, net.bytes) != 1) {
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.60s' is not a network such as 10.0.0.0/8 or fd00::/8", text);
	}
	bits = most;
	if (slash && !text_parse_u64(slash + 1, 0, most, &bits))
		return berth_fail(err, BERTH_E_INVALID, "'%.60s': the prefix goes from 0 to %d",
				  text, (int)most);
	net.bit_count = (uint8_t)(128 - most + bits);
	if (has_host_bits(&net))
		return berth_fail(err, BERTH_E_INVALID, "'%.60s' has bits set beyond its prefix",
				  text);
	*ret = net;
	return 0;
}

int policy_add(struct policy *p, bool is_deny, const char *cidr_text, struct berth_error *err)
{
	struct cidr **list = is_deny ? &p->deny : &p->allow;
	size_t *count = is_deny ? &p->deny_count : &p->allow_count;
	struct cidr net;
	int code = cidr_parse(cidr_text, &net, err);
	if (code)
		return code;
	if (*count == POLICY_NETWORK_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "more than %d networks", POLICY_NETWORK_MAX);
	struct cidr *grown = realloc(*list, (*count + 1) * sizeof **list);
	if (!grown)
		return berth_fail_memory(err);
	*list = grown;
	grown[(*count)++] = net;
	return 0;
}

void policy_done(struct policy *p)
{
	free(p->allow);
	free(p->deny);
	*p = (struct policy){0};
}

static bool is_listed(const unsigned char *address, const struct cidr *nets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_in(address, &nets[i]))
			return true;
	return false;
}

static int refuse(struct berth_error *err, const unsigned char *address, const char *what,
		  const char *why)
{
	char text[INET6_ADDRSTRLEN] = "?";
	if (!memcmp(address, mapped, sizeof mapped))
		inet_ntop(AF_INET, address + 12, text, sizeof text);
	else
		inet_ntop(AF_INET6, address, text, sizeof text);
	return berth_fail(err, BERTH_E_ADDRESS, "%s is %s%s", text, what, why);
}

static int check_bytes(const struct policy *p, const unsigned char *address,
		       struct berth_error *err)
{
	for (size_t i = 0; i < ARRAY_COUNT(never); i++)
		if (is_in(address, &never[i].net))
			return refuse(err, address, never[i].what, ", which is never reached");
	if (is_listed(address, p->deny, p->deny_count))
		return refuse(err, address, "denied", " by the configuration (networks, deny)");
	if (p->private_ok || is_listed(address, p->allow, p->allow_count))
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(inner); i++)
		if (is_in(address, &inner[i].net))
			return refuse(err, address, inner[i].what,
				      ", which this scope may not reach (networks, allow)");
	return 0;
}

/* The IPv4 address inside, if there is one: it must pass as well. ::1 and ::
 * are no carriers. */
static int check_carried(const struct policy *p, const unsigned char *address,
			 struct berth_error *err)
{
	static const unsigned char low[15];
	if (!memcmp(address, low, sizeof low) && address[15] <= 1)
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(carriers); i++) {
		unsigned char inside[16];
		if (!is_in(address, &carriers[i].net))
			continue;
		memcpy(inside, mapped, sizeof mapped);
		for (size_t b = 0; b < 4; b++)
			inside[12 + b] = address[carriers[i].at + b] ^ carriers[i].flip;
		return check_bytes(p, inside, err);
	}
	return 0;
}

static int check_sockaddr(const struct policy *p, const void *sockaddr, uint32_t byte_count,
			  struct berth_error *err)
{
	struct sockaddr_storage s = {0};
	unsigned char address[16] = {0};
	if (byte_count > sizeof s)
		byte_count = sizeof s;
	memcpy(&s, sockaddr, byte_count);
	if (s.ss_family == AF_INET && byte_count >= sizeof(struct sockaddr_in)) {
		memcpy(address, mapped, sizeof mapped);
		memcpy(address + 12, &((struct sockaddr_in *)(void *)&s)->sin_addr, 4);
		return check_bytes(p, address, err);
	}
	if (s.ss_family != AF_INET6 || byte_count < sizeof(struct sockaddr_in6))
		return berth_fail(err, BERTH_E_ADDRESS, "the address is neither IPv4 nor IPv6");
	memcpy(address, &((struct sockaddr_in6 *)(void *)&s)->sin6_addr, 16);
	int code = check_bytes(p, address, err);
	return code ? code : check_carried(p, address, err);
}

int policy_check(const struct policy *p, const void *sockaddr, uint32_t byte_count,
		 struct berth_error *err)
{
	int code = check_sockaddr(p, sockaddr, byte_count, err);
	if (code && p->is_quiet)
		err->code = BERTH_E_UNAVAILABLE;
	return code ? err->code : 0;
}
