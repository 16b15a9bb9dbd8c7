/* SPDX-License-Identifier: Apache-2.0 */
/* A copy rule: what is copied from where to where, as the API and the frames
 * carry it. Parsing says precisely what is wrong; everything after it asks
 * these functions and never looks at the JSON. Pure, no network; used by
 * berthd (validation) and by the job that copies.
 *
 *	{"source": {"instance": NAME, "repository": PATH | "prefix": PATH},
 *	 "target": {"instance": NAME, "repository": PATH | "prefix": PATH, "tag": TAG},
 *	 "names": [GLOB], "exclude": [GLOB],        below source.prefix
 *	 "tags": [TAG or GLOB], "digest": DIGEST,
 *	 "exclude_tags": [GLOB], "semver": RANGE, "newest": N, "only": [PATH:TAG],
 *	 "platforms": ["linux/amd64"], "referrers": true, "override": true,
 *	 "flatten": 0, "limit_bytes_per_s": N, "verify": false}
 *
 * Only the two instances are required. Without source.repository and prefix the
 * whole server is meant. A target repository needs a source repository. Where
 * the target has a prefix it takes the place of the source's; without one, names
 * stay as they are. flatten drops that many leading parts of the name below the
 * prefix, never its last one. No names or tags: all of them; of these exclude_tags
 * takes some away, semver (core/base/semver.h) leaves the versions of a range, and
 * newest the N highest of each repository in the order of semver_compare; only names
 * images of the source, in full, and nothing else is meant. The
 * limit counts the bytes of blobs of one run. verify compares both ends after it.
 */
#ifndef CORE_TRANSFER_RULE_H
#define CORE_TRANSFER_RULE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/fail.h"

#define RULE_TARGETS_MAX 8   /* of a copy that reads its source once for several */
#define RULE_LIMIT_MIN 16384 /* bytes a second: what is handed over at once */

struct rule_end {
	const char *instance;
	const char *repository; /* NULL: all below prefix */
	const char *prefix;     /* NULL: none */
};

struct rule {
	json_t *doc; /* what the strings below point into */
	struct rule_end source, target;
	const char *target_tag; /* NULL: the source's */
	const char *digest;     /* copy this digest, not tags; NULL: tags */
	/* arrays of strings or NULL */
	const json_t *names, *exclude, *tags, *exclude_tags, *platforms, *only;
	const char *semver; /* NULL: versions or not */
	bool referrers, override, verify;
	int flatten;
	int newest;                /* 0: all */
	int64_t limit_bytes_per_s; /* read at the source; 0: no limit */
};

/* Parses and checks. BERTH_E_INVALID names the member by its pointer, what was
 * found and what is expected. The caller owns *ret. */
MUST_USE int rule_parse(const json_t *doc, struct rule **ret, struct berth_error *err);
void rule_free(struct rule *r);
SCOPE_TYPE(rule, struct rule, rule_free)

/* Is this repository of the source meant? */
bool rule_has_repository(const struct rule *r, const char *repository);
/* Is this tag meant? Tags by which referrers are found (sha256-<hex>, also with
 * .sig .att .sbom) go with their subject: no glob matches them, only a literal. */
bool rule_has_tag(const struct rule *r, const char *tag);
/* Puts the tags of a repository of the source that are meant first, in the order
 * that they had or, where only the newest are meant, the newest first; returns how
 * many. */
size_t rule_choose_tags(const struct rule *r, const char *repository, char **tags, size_t count);
/* Are all wanted tags literal, so that no listing is needed to find them? */
bool rule_has_literal_tags(const struct rule *r);
/* Is the platform wanted? variant may be NULL. */
bool rule_has_platform(const struct rule *r, const char *os, const char *arch, const char *variant);
/* The target's name for a source repository; new memory, free(). BERTH_E_INVALID:
 * it would be too long, or the source's name ends in a slash. */
MUST_USE int rule_map(const struct rule *r, const char *repository, char **ret,
		      struct berth_error *err);

/* sha256-<64 hex> or sha512-<128 hex>, alone or with .sig, .att or .sbom. */
bool rule_is_referrer_tag(const char *tag);

#endif
