/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: see url.h. */
#include "core/net/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

static void scope_url(CURLU **u)
{
	curl_url_cleanup(*u);
}
static void scope_curl_text(char **s)
{
	curl_free(*s);
}
#define AUTO_URL CLEANUP(scope_url)
#define AUTO_CURL_TEXT CLEANUP(scope_curl_text)

static bool has_odd_bytes(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f || *s == '\\')
			return true;
	return false;
}

/* Parses into *ret; the caller cleans it up, also after a failure. */
static int parse(const char *url, CURLU **ret, struct berth_error *err)
{
	if (strlen(url) > URL_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "an URL of more than %d bytes",
				  URL_MAX_BYTES);
	if (has_odd_bytes(url))
		return berth_fail(err, BERTH_E_INVALID,
				  "an URL with a space, a control or a non-ASCII character");
	*ret = curl_url();
	if (!*ret)
		return berth_fail_memory(err);
	CURLUcode r = curl_url_set(*ret, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	if (r == CURLUE_OUT_OF_MEMORY)
		return berth_fail_memory(err);
	if (r != CURLUE_OK)
		return berth_fail(err, BERTH_E_INVALID, "not an URL (%s)",
				  r == CURLUE_BAD_PORT_NUMBER ? "its port is not 1 to 65535"
				  : r == CURLUE_BAD_SCHEME    ? "it begins with no scheme"
							      : "want https://host[:port][/path]");
	return 0;
}

/* *ret NULL: it has none. */
static int part(CURLU *u, CURLUPart what, unsigned flags, char **ret, struct berth_error *err)
{
	CURLUcode r = curl_url_get(u, what, ret, flags);

	if (r != CURLUE_OK)
		*ret = NULL;
	return r == CURLUE_OUT_OF_MEMORY ? berth_fail_memory(err) : 0;
}

/* libcurl decodes %xx in hosts: what comes out may be anything but a name. */
static bool is_plain_host(const char *host)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	static const char ip6[] = "0123456789abcdefABCDEF:.";
	size_t n = strlen(host);
	if (host[0] == '[')
		return n > 2 && 1 + strspn(host + 1, ip6) == n - 1 && host[n - 1] == ']';
	return strspn(host, name) == n;
}

/* Would libcurl read the host back as another one? "%34" becomes "4", and "4"
 * when read again 0.0.0.4: such a host has two meanings. */
static int check_host(const char *host, struct berth_error *err)
{
	AUTO_URL CURLU *u = curl_url();
	AUTO_CURL_TEXT char *again = NULL;
	char url[URL_HOST_ROOM + 8];

	snprintf(url, sizeof url, "http://%s", host);
	CURLUcode r = u ? curl_url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
	if (r == CURLUE_OUT_OF_MEMORY)
		return berth_fail_memory(err);
	if (r == CURLUE_OK && part(u, CURLUPART_HOST, 0, &again, err))
		return err->code;
	return again && strcasecmp(host, again) == 0
		       ? 0
		       : berth_fail(err, BERTH_E_INVALID, "an URL without a usable host");
}

static int origin_of(CURLU *u, struct url_origin *ret, struct berth_error *err)
{
	AUTO_CURL_TEXT char *scheme = NULL;
	AUTO_CURL_TEXT char *host = NULL;
	AUTO_CURL_TEXT char *port = NULL;
	uint64_t number;

	if (part(u, CURLUPART_SCHEME, 0, &scheme, err) || part(u, CURLUPART_HOST, 0, &host, err) ||
	    part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port, err))
		return err->code;
	if (!scheme || (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
		return berth_fail(err, BERTH_E_INVALID, "not an http or https URL");
	if (!host || !*host || strlen(host) >= sizeof ret->host || !is_plain_host(host))
		return berth_fail(err, BERTH_E_INVALID, "an URL without a usable host");
	if (check_host(host, err))
		return err->code;
	if (!port || !text_parse_u64(port, 1, 65535, &number))
		return berth_fail(err, BERTH_E_INVALID, "an URL whose port is not 1 to 65535");
	ret->is_https = !strcasecmp(scheme, "https");
	ret->port = (unsigned short)number;
	size_t n = strlen(host);
	for (size_t i = 0; i <= n; i++)
		ret->host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
	if (n > 1 && ret->host[n - 1] == '.')
		ret->host[n - 1] = 0;
	return 0;
}

int url_parse_origin(const char *url, struct url_origin *ret, struct berth_error *err)
{
	AUTO_URL CURLU *u = NULL;
	int r = parse(url, &u, err);
	return r ? r : origin_of(u, ret, err);
}

bool url_same_origin(const struct url_origin *a, const struct url_origin *b)
{
	return a->is_https == b->is_https && a->port == b->port && !strcmp(a->host, b->host);
}

void url_format_origin(const struct url_origin *o, char *to, size_t room)
{
	const char *scheme = o->is_https ? "https" : "http";
	if (o->port == (o->is_https ? 443 : 80))
		snprintf(to, room, "%s://%s", scheme, o->host);
	else
		snprintf(to, room, "%s://%s:%u", scheme, o->host, o->port);
}

int url_normalize(const char *url, char **ret, struct berth_error *err)
{
	AUTO_URL CURLU *u = NULL;
	struct url_origin origin;
	char shown[URL_HOST_ROOM + 16];
	int r = parse(url, &u, err);
	if (!r)
		r = origin_of(u, &origin, err);
	if (r)
		return r;
	AUTO_CURL_TEXT char *query = NULL;
	AUTO_CURL_TEXT char *fragment = NULL;
	AUTO_CURL_TEXT char *user = NULL;
	AUTO_CURL_TEXT char *path = NULL;
	if (part(u, CURLUPART_QUERY, 0, &query, err) ||
	    part(u, CURLUPART_FRAGMENT, 0, &fragment, err) ||
	    part(u, CURLUPART_USER, 0, &user, err) || part(u, CURLUPART_PATH, 0, &path, err))
		return err->code;
	if (query || fragment)
		return berth_fail(err, BERTH_E_INVALID, "an address with a query or a fragment");
	if (user)
		return berth_fail(
			err, BERTH_E_INVALID,
			"an address with a user in it (there are fields for user and password)");
	url_format_origin(&origin, shown, sizeof shown);
	size_t n = path ? strlen(path) : 0;
	while (n && path[n - 1] == '/')
		n--;
	*ret = text_printf("%s%.*s", shown, (int)n, path ? path : "");
	return *ret ? 0 : berth_fail_memory(err);
}

/* Copies libcurl's text into memory of free(). */
static int take_text(CURLU *u, CURLUPart what, char **ret, struct berth_error *err)
{
	AUTO_CURL_TEXT char *s = NULL;
	if (part(u, what, 0, &s, err))
		return err->code;
	*ret = s ? strdup(s) : NULL;
	return *ret ? 0 : berth_fail_memory(err);
}

int url_join(const char *base, const char *reference, char **ret, struct berth_error *err)
{
	AUTO_URL CURLU *u = NULL;
	struct url_origin origin;
	int r = parse(base, &u, err);
	if (r)
		return r;
	if (strlen(reference) > URL_MAX_BYTES || has_odd_bytes(reference))
		return berth_fail(err, BERTH_E_INVALID,
				  "an URL that is too long or has a space or control character");
	/* libcurl refuses an empty reference; it means the base itself. */
	if (*reference &&
	    curl_url_set(u, CURLUPART_URL, reference, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return berth_fail(err, BERTH_E_INVALID, "not an URL");
	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(u, CURLUPART_OPTIONS, NULL, 0);
	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	r = origin_of(u, &origin, err);
	return r ? r : take_text(u, CURLUPART_URL, ret, err);
}

int url_path_query(const char *url, char **ret, struct berth_error *err)
{
	AUTO_URL CURLU *u = NULL;
	int r = parse(url, &u, err);
	if (r)
		return r;
	AUTO_CURL_TEXT char *path = NULL;
	AUTO_CURL_TEXT char *query = NULL;
	if (part(u, CURLUPART_PATH, 0, &path, err) || part(u, CURLUPART_QUERY, 0, &query, err))
		return err->code;
	*ret = text_printf("%s%s%s", path ? path : "/", query ? "?" : "", query ? query : "");
	return *ret ? 0 : berth_fail_memory(err);
}

char *url_add_query(const char *url, const char *name, const char *value)
{
	size_t bare = strcspn(url, "#");
	const char *mark = memchr(url, '?', bare);
	const char *between = !mark ? "?" : mark + 1 == url + bare ? "" : "&";
	return text_printf("%.*s%s%s=%s", (int)bare, url, between, name, value);
}

bool url_host_is_ip(const char *host)
{
	struct in_addr a;
	return host[0] == '[' || inet_pton(AF_INET, host, &a) == 1;
}

bool url_host_is_local(const char *host)
{
	size_t n = strlen(host);
	return !strcmp(host, "localhost") || (n > 10 && !strcmp(host + n - 10, ".localhost"));
}
