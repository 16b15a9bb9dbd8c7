/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of a rule that are addresses and no integrations yet: each becomes an
 * integration of its own, which berthd tries before it keeps it.
 */
#ifndef CLIENT_OWN_ADDRESS_H
#define CLIENT_OWN_ADDRESS_H

#include <jansson.h>

#include "client/command.h"

/* For the table of the command that takes such targets. */
#define OWN_ADDRESS_FLAGS                                                                          \
	{"to-kind",                                                                                \
	 0,                                                                                        \
	 FLAG_TEXT,                                                                                \
	 "KIND",                                                                                   \
	 "what an address of --to speaks (dockerreg)",                                             \
	 .names = NAMES_PLUGIN},                                                                   \
		{"to-username", 0, FLAG_TEXT, "NAME",                                              \
		 .help = "the user to be at such an address"},                                     \
		{"to-password-file",                                                               \
		 0,                                                                                \
		 FLAG_TEXT,                                                                        \
		 "FILE",                                                                           \
		 "holds the password; - is standard input, credential:NAME systemd's",             \
		 .names = NAMES_FILE},                                                             \
	{                                                                                          \
		"to-ca", 0, FLAG_TEXT, "FILE", "PEM of the private authority to trust there",      \
			.names = NAMES_FILE                                                        \
	}

/* Puts NAME-target[-N][/PREFIX] in place of each address among targets, once that
 * integration is made; *ret_made (new) has the names of those. -1: go on, else the exit
 * code of what was said, and what was made is gone again. */
int own_addresses_make(struct cli *c, const char *name, json_t *targets, json_t **ret_made);
/* Takes them away again, where the rule could not be made after all. */
void own_addresses_remove(struct cli *c, const json_t *made);

#endif
