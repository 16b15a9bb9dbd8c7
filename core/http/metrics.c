/* SPDX-License-Identifier: Apache-2.0 */
/* Writes metrics text, and what the HTTP side counts: requests by operation and
 * class of status, durations, connections and refusals. Labels come from the
 * route table. A buffer that is full ends the text early, whole lines kept.
 */
#include "core/http/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/log.h"
#include "core/http/internal.h"

static void put(struct buf *out, const char *line)
{
	struct berth_error err = ERROR_INIT;
	if (buf_add_text(out, line, &err))
		log_debug("metrics are cut: %s", err.message);
}

void metric_family(struct buf *out, bool is_openmetrics, const char *name, enum metric_type type,
		   const char *help)
{
	static const char *const words[] = {"counter", "gauge", "histogram"};
	const char *total = type == METRIC_COUNTER && !is_openmetrics ? "_total" : "";
	char line[512];
	snprintf(line, sizeof line, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, total, help, name,
		 total, words[type]);
	put(out, line);
}

void metric_sample(struct buf *out, const char *name, enum metric_type type, const char *labels,
		   uint64_t value)
{
	char line[512];
	snprintf(line, sizeof line, "%s%s%s%s%s %" PRIu64 "\n", name,
		 type == METRIC_COUNTER ? "_total" : "", *labels ? "{" : "", labels,
		 *labels ? "}" : "", value);
	put(out, line);
}

void metric_end(struct buf *out)
{
	put(out, "# EOF\n");
}

static void put_requests(const struct http_server *s, bool is_open, struct buf *out)
{
	char labels[160];
	metric_family(out, is_open, "berth_http_requests", METRIC_COUNTER,
		      "Requests by operation and class of status.");
	for (size_t i = 0; i <= route_count; i++)
		for (size_t k = 1; k < STATUS_CLASSES; k++) {
			uint64_t n = s->counters.by_route[i * STATUS_CLASSES + k];
			if (!n)
				continue;
			snprintf(labels, sizeof labels, "operation=\"%s\",status=\"%zuxx\"",
				 i < route_count ? routes[i].operation : "none", k);
			metric_sample(out, "berth_http_requests", METRIC_COUNTER, labels, n);
		}
}

static void put_durations(const struct http_server *s, bool is_open, struct buf *out)
{
	static const char name[] = "berth_http_request_duration_seconds";
	const struct http_counters *c = &s->counters;
	uint64_t sum = 0;
	char line[160];

	metric_family(out, is_open, name, METRIC_HISTOGRAM,
		      "From the first line of a request to its answer.");
	for (size_t i = 0; i < DURATION_BUCKETS; i++) {
		sum += c->durations[i];
		snprintf(line, sizeof line, "%s_bucket{le=\"%u.%06u\"} %" PRIu64 "\n", name,
			 duration_bounds_us[i] / 1000000, duration_bounds_us[i] % 1000000, sum);
		put(out, line);
	}
	snprintf(line, sizeof line, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name,
		 c->duration_count);
	put(out, line);
	snprintf(line, sizeof line, "%s_sum %" PRIu64 ".%06" PRIu64 "\n", name,
		 c->duration_us / 1000000, c->duration_us % 1000000);
	put(out, line);
	snprintf(line, sizeof line, "%s_count %" PRIu64 "\n", name, c->duration_count);
	put(out, line);
}

void http_metrics(const struct http_server *s, bool is_open, struct buf *out)
{
	static const char refused[] = "berth_http_refused", expired[] = "berth_http_expired";
	const struct http_counters *c = &s->counters;

	put_requests(s, is_open, out);
	put_durations(s, is_open, out);
	metric_family(out, is_open, "berth_http_connections", METRIC_GAUGE, "Open connections.");
	metric_sample(out, "berth_http_connections", METRIC_GAUGE, "", s->conn_count);
	metric_family(out, is_open, "berth_http_streams", METRIC_GAUGE, "Open streams.");
	metric_sample(out, "berth_http_streams", METRIC_GAUGE, "", s->stream_count);
	metric_family(out, is_open, "berth_http_accepted", METRIC_COUNTER, "Connections accepted.");
	metric_sample(out, "berth_http_accepted", METRIC_COUNTER, "", c->accepted);
	metric_family(out, is_open, refused, METRIC_COUNTER, "Connections turned away.");
	metric_sample(out, refused, METRIC_COUNTER, "why=\"total\"", c->refused_total);
	metric_sample(out, refused, METRIC_COUNTER, "why=\"user\"", c->refused_user);
	metric_sample(out, refused, METRIC_COUNTER, "why=\"resources\"", c->refused_resources);
	metric_family(out, is_open, expired, METRIC_COUNTER, "Connections cut at a deadline.");
	metric_sample(out, expired, METRIC_COUNTER, "what=\"head\"", c->expired_heads);
	metric_sample(out, expired, METRIC_COUNTER, "what=\"body\"", c->expired_bodies);
	metric_sample(out, expired, METRIC_COUNTER, "what=\"answer\"", c->expired_answers);
	metric_family(out, is_open, "berth_http_streams_cut", METRIC_COUNTER,
		      "Streams cut because their reader was too slow.");
	metric_sample(out, "berth_http_streams_cut", METRIC_COUNTER, "", c->streams_cut);
}
