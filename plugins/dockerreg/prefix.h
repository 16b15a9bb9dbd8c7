/* SPDX-License-Identifier: Apache-2.0 */
/* prefix: shows path prefixes as spaces, for a server that has none of its own.
 * All of it is in prefix.c and in lines that have its name: a plugin that begins as a copy
 * of this one and has spaces goes without both (CONTRIBUTING.md, A new backend).
 */
#ifndef PLUGINS_DOCKERREG_PREFIX_H
#define PLUGINS_DOCKERREG_PREFIX_H

#include "plugins/common/remote.h"

#define PREFIXES_MAX 256

struct prefixes {
	char *text; /* owns what items point to */
	const char *items[PREFIXES_MAX];
	size_t count;
};

/* This row says to the core that the server has no spaces of its own: they are
 * prefixes that users declare, and what `spaces` gives besides is dropped. A plugin
 * whose server has spaces leaves it out. */
#define PREFIXES_OPTION                                                                            \
	{                                                                                          \
		"prefixes", BERTH_OPT_STRING, 0, NULL,                                             \
			"Path prefixes to show as spaces, comma-separated; the rest is the space " \
			"'default'."                                                               \
	}

/* Reads the option; ret is zeroed before, and done() after a failure too. */
MUST_USE int prefixes_read(struct prefixes *ret, const struct remote *remote,
			   struct berth_error *err);
void prefixes_done(struct prefixes *p);

bool prefixes_have(const struct prefixes *p, const char *space);
/* Is that the repository's space: its longest prefix, or else the default one? */
bool prefixes_hold(const struct prefixes *p, const char *space, const char *repository);
/* Their number, as a fact of the overview. */
MUST_USE int prefixes_tell(const struct prefixes *p, struct berth_sink *sink,
			   struct berth_error *err);
int prefixes_spaces(void *self, const struct berth_call *call, struct berth_sink *sink,
		    struct berth_error *err);

#endif
