/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate (RFC 9110 11.6.1): several headers, several challenges in
 * one of them joined by commas, quoted strings with escapes. What is kept is
 * whether Basic is offered and the first usable Bearer.
 */
#ifndef CORE_OCI_CHALLENGE_H
#define CORE_OCI_CHALLENGE_H

#include <stdbool.h>

struct challenge {
	bool has_basic, has_bearer;
	char realm[2048], service[512], scope[2048], error[64]; /* of Bearer */
};

/* Adds what one header says; c begins zeroed. A challenge with a parameter
 * longer than its room, or malformed, is passed over. */
void challenge_parse(const char *header, struct challenge *c);

#endif
