/* SPDX-License-Identifier: Apache-2.0 */
/* Names as users write them: INTEGRATION/REPOSITORY[:TAG][@DIGEST], and the
 * grammar of repositories and tags (distribution specification 1.1). Pure
 * functions; each refusal says which part is wrong and what would be right.
 */
#ifndef CORE_OCI_REFERENCE_H
#define CORE_OCI_REFERENCE_H

#include <stdbool.h>

#include "core/base/digest.h"

#define REPOSITORY_MAX_BYTES 255
#define TAG_MAX_BYTES 128

struct reference {
	char integration[64];
	char repository[REPOSITORY_MAX_BYTES + 1];
	char tag[TAG_MAX_BYTES + 1];   /* "" where none was written */
	char digest[DIGEST_TEXT_ROOM]; /* "" where none was written */
};

/* BERTH_E_INVALID with the precise reason. */
MUST_USE int reference_parse(const char *text, struct reference *ret, struct berth_error *err);
MUST_USE int reference_check_repository(const char *s, struct berth_error *err);
MUST_USE int reference_check_tag(const char *s, struct berth_error *err);
bool reference_is_repository(const char *s);
bool reference_is_tag(const char *s);
/* Is s "sha256:..." or "sha512:..." in full? */
bool reference_is_digest(const char *s);
/* The tag under which registries without the referrers API list what refers
 * to a digest: "sha256-<hex>", cut as the specification says. to has
 * TAG_MAX_BYTES + 1 bytes. */
void reference_fallback_tag(const char *digest, char *to);

#endif
