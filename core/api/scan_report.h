/* SPDX-License-Identifier: Apache-2.0 */
/* Taking in a report: findings are stored as they come, as a report that is
 * not whole; at the end it takes the place of the artifact's older one.
 */
#ifndef CORE_API_SCAN_REPORT_H
#define CORE_API_SCAN_REPORT_H

#include "core/api/api.h"

struct scan_intake;
struct scan_intake *scan_intake_new(const char *integration_id,
				    const char *repository) MUST_USE; /* NULL: no memory */
void scan_intake_free(struct scan_intake *i);                         /* accepts NULL */
/* Which artifact the report is of: before its first item. */
void scan_intake_of(struct scan_intake *i, const char *digest);
/* An item of the report: a FACT or a FINDING; others are passed over. */
MUST_USE int scan_intake_item(struct daemon_state *d, struct scan_intake *i, const json_t *item,
			      struct berth_error *err);

struct scan_totals {
	const char *report_id;
	json_t *counts; /* by severity; borrowed */
	int64_t total, fixable;
};
/* *ret is NULL where no report came, else of i. */
MUST_USE int scan_intake_end(struct daemon_state *d, struct scan_intake *i,
			     const struct scan_totals **ret, struct berth_error *err);

#endif
