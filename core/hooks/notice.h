/* SPDX-License-Identifier: Apache-2.0 */
/* What registries tell of themselves, understood: which repositories and tags were
 * pushed to. Pure: no network, no state. In three forms, as they were recorded:
 *
 *	distribution 2 and 3   application/vnd.docker.distribution.events.v1+json, v2+json
 *	Harbor, "Default"      application/json, type PUSH_ARTIFACT
 *	Harbor, "CloudEvents"  application/cloudevents+json, type harbor.artifact.pushed
 */
#ifndef CORE_HOOKS_NOTICE_H
#define CORE_HOOKS_NOTICE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/fail.h"

#define NOTICE_MAX_BYTES (1024 * 1024)
#define NOTICE_CHANGES_MAX 100

/* Can a body of that Content-Type be one? Parameters after a semicolon are left out. */
bool notice_is_type(const char *content_type);
/* *ret: an array of at most NOTICE_CHANGES_MAX {"repository", "tag"}, each once, names
 * and tags as the grammar has them; empty where the notice tells of other things;
 * json_decref. Of more than that, one {}: anything may have changed. BERTH_E_INVALID:
 * not JSON, or none of the three; BERTH_E_LIMIT: over a cap. */
MUST_USE int notice_parse(const char *bytes, size_t byte_count, json_t **ret,
			  struct berth_error *err);

#endif
