/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an answer: counts every byte of it against the cap, keeps the
 * headers that somebody here reads, and drops the rest.
 */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/net/http_private.h"

static const char *const kept[] = {
	"content-encoding",
	"content-length",
	"content-range",
	"content-type",
	"date",
	"docker-content-digest",
	"docker-distribution-api-version",
	"docker-upload-uuid",
	"etag",
	"last-modified",
	"link",
	"location",
	"oci-chunk-min-length",
	"oci-filters-applied",
	"oci-subject",
	"oci-tag",
	"range",
	"ratelimit-remaining",
	"refresh-after",
	"retry-after",
	"server",
	"set-cookie",
	"warning",
	"www-authenticate",
	"x-artifactory-id",
	"x-harbor-csrf-token",
	"x-jfrog-version",
	"x-request-id",
	"x-total-count",
};

static const char *kept_name(const char *line, size_t name_bytes)
{
	for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
		if (strlen(kept[i]) == name_bytes && !strncasecmp(kept[i], line, name_bytes))
			return kept[i];
	return NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void note_date(struct net_exchange *x, const char *value)
{
	time_t date = curl_getdate(value, NULL);
	if (date > 0 && !(x->call.flags & NET_FOREIGN))
		x->client->skew_s = (int64_t)date - clock_unix_ms() / 1000;
}

static int keep(struct net_exchange *x, const char *name, const char *value, size_t value_bytes)
{
	struct berth_error *err = &x->failure;
	while (value_bytes && is_space(*value)) {
		value++;
		value_bytes--;
	}
	while (value_bytes && is_space(value[value_bytes - 1]))
		value_bytes--;
	int r = buf_add(&x->head, name, strlen(name) + 1, err);
	size_t at = x->head.byte_count;
	if (!r)
		r = buf_add(&x->head, value, value_bytes, err);
	if (!r)
		r = buf_add(&x->head, "", 1, err);
	if (!r && !strcmp(name, "date"))
		note_date(x, x->head.bytes + at);
	return r;
}

/* "HTTP/1.1 200 OK": a new head begins, perhaps after a 100. */
static void status_line(struct net_exchange *x, const char *line, size_t byte_count)
{
	const char *at = memchr(line, ' ', byte_count), *end = line + byte_count;
	x->status = 0;
	for (at = at ? at + 1 : end; at < end && *at >= '0' && *at <= '9' && x->status < 100; at++)
		x->status = x->status * 10 + (*at - '0');
	buf_reset(&x->head);
}

int net_headers_line(struct net_exchange *x, const char *line, size_t byte_count)
{
	uint32_t most = x->client->settings.limits.header_max_bytes;
	x->header_bytes += byte_count;
	if (x->header_bytes > most)
		return berth_fail(&x->failure, BERTH_E_LIMIT,
				  "%s sent headers of more than %u bytes", x->origin, most);
	if (byte_count > 5 && !strncasecmp(line, "HTTP/", 5)) {
		status_line(x, line, byte_count);
		return 0;
	}
	const char *colon = memchr(line, ':', byte_count);
	const char *name = colon ? kept_name(line, (size_t)(colon - line)) : NULL;
	if (!name)
		return 0;
	return keep(x, name, colon + 1, byte_count - (size_t)(colon + 1 - line));
}

const char *net_exchange_header(const struct net_exchange *x, const char *name, int n)
{
	const char *at = x->head.bytes, *end = at ? at + x->head.byte_count : NULL;
	while (at && at < end) {
		const char *value = at + strlen(at) + 1;
		if (!strcasecmp(at, name) && n-- == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}
