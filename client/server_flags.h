/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say how to reach a server, which integrations and clusters
 * share. A flag table is an array of one noun's, so they are macros.
 */
#ifndef CLIENT_SERVER_FLAGS_H
#define CLIENT_SERVER_FLAGS_H

#include "client/command.h"

/* server is how help calls it: "the registry". */
#define SERVER_TLS_FLAGS(server)                                                                     \
	{"ca",                                                                                       \
	 0,                                                                                          \
	 FLAG_FILE,                                                                                  \
	 "FILE",                                                                                     \
	 "PEM of the private authority to trust",                                                    \
	 .field = "tls.ca",                                                                          \
	 .names = NAMES_FILE},                                                                       \
		{"client-cert",                                                                      \
		 0,                                                                                  \
		 FLAG_FILE,                                                                          \
		 "FILE",                                                                             \
		 "PEM of the client certificate to show",                                            \
		 .field = "tls.client_cert",                                                         \
		 .names = NAMES_FILE},                                                               \
		{"client-key",       0,                                                              \
		 FLAG_SECRET,        "FILE",                                                         \
		 "PEM of its key",   .field = "tls.client_key",                                      \
		 .names = NAMES_FILE},                                                               \
		{"insecure",           0, FLAG_FALSE, NULL, "do not check " server "'s certificate", \
		 .field = "tls.verify"},                                                             \
	{                                                                                            \
		"secure", 0, FLAG_TRUE, NULL, "check " server "'s certificate (the default)",        \
			.field = "tls.verify"                                                        \
	}

#define SERVER_PROBE_FLAG                                                                          \
	{                                                                                          \
		"probe-period", 0, FLAG_SECONDS, "TIME", "how often to probe it",                  \
			.field = "probe_period_s"                                                  \
	}

#define DESCRIPTION_FLAG                                                                           \
	{                                                                                          \
		"description", 0, FLAG_TEXT, "TEXT", "a remark for people", .field = "description" \
	}

#endif
