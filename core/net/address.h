/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of address a socket address is, seen at connect: the base of the
 * rule that a public server can't send us to a private one.
 */
#ifndef CORE_NET_ADDRESS_H
#define CORE_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_ROOM 64

/* Reachable over the Internet: not loopback, private (RFC 1918, 4193),
 * link-local, shared (RFC 6598), documentation, multicast, unspecified or
 * reserved; IPv4 inside IPv6 (mapped, NAT64, 6to4) counts as that IPv4. */
bool address_is_public(const struct sockaddr *a);
/* The address without its port, for errors. */
void address_format(const struct sockaddr *a, char *to, size_t room);
/* The address of a text such as "::1"; false where it is none. */
bool address_parse(const char *text, struct sockaddr_storage *ret);

#endif
