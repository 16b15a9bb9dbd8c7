/* SPDX-License-Identifier: Apache-2.0 */
/* What scans found, for a person and as SARIF. */
#ifndef CLIENT_REPORT_SCAN_H
#define CLIENT_REPORT_SCAN_H

#include "client/cli.h"

/* follow_result of a scan: its target, state and findings by severity. */
void scan_report(struct cli *c, const json_t *operation);
/* The totals of a report, as a remark. */
void report_note(struct cli *c, const json_t *report);
/* Has it a finding of that severity or a worse one? severity NULL: no. */
bool report_reaches(const json_t *report, const char *severity);
/* Prints SARIF 2.1.0 of a report and its findings. Exit code. */
int sarif_print(struct cli *c, const json_t *report, const json_t *findings);
/* The document itself; json_decref. */
json_t *sarif_of(const json_t *report, const json_t *findings) MUST_USE;

#endif
