/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy or a sync run did, or would do, as a person reads it. */
#ifndef CLIENT_REPORT_COPY_H
#define CLIENT_REPORT_COPY_H

#include "client/cli.h"

/* So many outcomes come with a run or a result; the others are asked for by page. */
#define OUTCOMES_WITH_RUN 1000
/* The result of a copy's operation: a line for each image, then totals. A plan
 * (dry run) says what would be done. Fits follow_result. */
void copy_report(struct cli *c, const json_t *operation);
/* The same of a stored run: {"images","copied",...,"outcomes":[...]}. */
void run_report(struct cli *c, const json_t *run);

#endif
