/* SPDX-License-Identifier: Apache-2.0 */
/* A copy that is compared afterwards: what the comparison found, turned into
 * outcomes of that copy. An image that the target does not hold as the source
 * does has failed, whatever the copy itself had said of it; what was kept or had
 * failed already stays as it was. Pure but for memory; runs in the job.
 */
#ifndef CORE_TRANSFER_CONFIRM_H
#define CORE_TRANSFER_CONFIRM_H

#include <jansson.h>

#include "core/base/fail.h"

/* Notes an outcome, as the copy reports it, in an object by the image's name. */
MUST_USE int confirm_note(json_t *noted, const json_t *item, struct berth_error *err);
/* The outcome that a verdict of transfer_report_verify makes of an image, and its
 * totals put right; *ret NULL: the image stays as it was. */
MUST_USE int confirm_refute(const json_t *noted, const json_t *verdict, json_t *totals,
			    json_t **ret, struct berth_error *err);

#endif
