/* SPDX-License-Identifier: Apache-2.0 */
/* Text of GET /v1/metrics: families and samples in the Prometheus format 0.0.4
 * or OpenMetrics 1.0. Label values come from bounded sets of ours; never a name
 * of an image, workspace or user.
 */
#ifndef CORE_HTTP_METRICS_H
#define CORE_HTTP_METRICS_H

#include "core/base/buf.h"
#include "core/http/http.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
/* Begins a family; name without _total, which a counter's samples get. */
void metric_family(struct buf *out, bool is_openmetrics, const char *name, enum metric_type type,
		   const char *help);
/* One sample of the family: labels is "" or "a=\"b\",c=\"d\"". */
void metric_sample(struct buf *out, const char *name, enum metric_type type, const char *labels,
		   uint64_t value);
/* "# EOF": the end of an OpenMetrics answer. */
void metric_end(struct buf *out);
/* What the HTTP side itself counts. */
void http_metrics(const struct http_server *server, bool is_openmetrics, struct buf *out);

#endif
