/* SPDX-License-Identifier: Apache-2.0 */
/* Link and Location: see link.h. */
#include "core/oci/link.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"
#include "core/oci/realm.h"
#include "core/oci/registry_private.h"

/* The end of a parameter's value: behind the closing quote, or at ; or , */
static const char *value_end(const char *s)
{
	if (*s != '"')
		return s + strcspn(s, ";, \t");
	for (s++; *s && *s != '"'; s++)
		if (*s == '\\' && s[1])
			s++;
	return *s ? s + 1 : s;
}

static bool is_next(const char *value, const char *end)
{
	if (*value == '"' && end > value + 1) {
		value++;
		end--;
	}
	while (value < end) {
		size_t n = strcspn(value, " \t\"");
		n = (size_t)(end - value) < n ? (size_t)(end - value) : n;
		if (n == 4 && !strncasecmp(value, "next", 4))
			return true;
		value += n + 1;
	}
	return false;
}

/* Reads ";name=value" pairs at *s up to the next link; is one of them rel=next? A link that
 * does not say what it is counts as one: a list must not be cut short in silence. */
static bool read_parameters(const char **s)
{
	bool next = false, has_rel = false;
	while (*(*s += strspn(*s, " \t")) == ';') {
		const char *name = *s + 1 + strspn(*s + 1, " \t");
		size_t n = strcspn(name, "=;, \t");
		const char *after = name + n + strspn(name + n, " \t");
		*s = after;
		if (*after != '=')
			continue;
		const char *value = after + 1 + strspn(after + 1, " \t");
		*s = value_end(value);
		if (n != 3 || strncasecmp(name, "rel", 3) != 0)
			continue;
		has_rel = true;
		next = next || is_next(value, *s);
	}
	return next || !has_rel;
}

int link_find_next(const char *header, char **ret, struct berth_error *err)
{
	*ret = NULL;
	for (const char *s = header; *(s += strspn(s, " \t,"));) {
		const char *end = *s == '<' ? strchr(s, '>') : NULL;
		if (!end)
			return berth_fail(err, BERTH_E_PROTOCOL,
					  "a Link header that can't be read");
		const char *target = s + 1;
		s = end + 1;
		if (!read_parameters(&s))
			continue;
		*ret = strndup(target, (size_t)(end - target));
		return *ret ? 0 : berth_fail_memory(err);
	}
	return 0;
}

/* Escapes the spaces and odd bytes that some servers leave in (Harbor). */
static char *escape_odd(const char *s)
{
	char *to = malloc(3 * strlen(s) + 1), *w = to;
	for (; to && *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c > 0x20 && c < 0x7f && c != '\\' && c != '"') {
			*w++ = *s;
			continue;
		}
		*w++ = '%';
		*w++ = "0123456789ABCDEF"[c >> 4];
		*w++ = "0123456789ABCDEF"[c & 15];
	}
	if (to)
		*w = 0;
	return to;
}

/* A server behind a prefix may name the page with or without it. */
static const char *below_base(const char *path, const char *base_path)
{
	size_t n = strlen(base_path);
	while (n && base_path[n - 1] == '/')
		n--;
	return n && !strncmp(path, base_path, n) && path[n] == '/' ? path + n : path;
}

int link_next_path(const char *header, const char *page_url, const char *base_url, char **ret,
		   struct berth_error *err)
{
	AUTO_FREE char *target = NULL, *escaped = NULL, *joined = NULL, *path = NULL, *base = NULL;
	*ret = NULL;
	int r = link_find_next(header, &target, err);
	if (r || !target)
		return r;
	escaped = escape_odd(target);
	if (!escaped)
		return berth_fail_memory(err);
	r = url_join(page_url, escaped, &joined, err);
	if (!r)
		r = url_path_query(joined, &path, err);
	if (!r)
		r = url_path_query(base_url, &base, err);
	if (r) {
		err->code = r == BERTH_E_NO_MEMORY ? r : BERTH_E_PROTOCOL;
		return berth_wrap(err, "the registry's link to the next page is no use");
	}
	*ret = strdup(below_base(path, base));
	return *ret ? 0 : berth_fail_memory(err);
}

/* A list that was found by a redirect is gone on with by the same way, since nobody but
 * the redirect may name another origin: our path, with the next page's query. */
static int take_way_home(const struct registry_request *q, char **path, struct berth_error *err)
{
	const char *asked = q->call.path, *query = strchr(*path, '?');
	char *own = text_printf("%.*s%s", (int)strcspn(asked, "?"), asked, query ? query : "");
	free(*path);
	*path = own;
	return own ? 0 : berth_fail_memory(err);
}

/* A server may give its links in one header or in one each. */
int registry_next(const struct registry_request *q, char **ret_path, struct berth_error *err)
{
	const char *header;
	int r = 0;
	*ret_path = NULL;
	for (int i = 0; q->exchange && !r && !*ret_path &&
			(header = net_exchange_header(q->exchange, "link", i));
	     i++)
		r = link_next_path(header, q->url, q->registry->base_url, ret_path, err);
	return !r && *ret_path && q->is_foreign ? take_way_home(q, ret_path, err) : r;
}

bool trail_repeats(struct trail *t, const char *path)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 1099511628211u;
	if (t->page_count && hash == t->mark)
		return true;
	if (t->page_count >= t->next_mark) {
		t->mark = hash;
		t->next_mark = t->next_mark ? 2 * t->next_mark : 1;
	}
	t->page_count++;
	return false;
}

int link_refuse_upload(const struct url_origin *o, struct berth_error *err)
{
	char shown[URL_HOST_ROOM + 16];
	url_format_origin(o, shown, sizeof shown);
	berth_fail(err, BERTH_E_PROTOCOL, "the registry wants the upload to go to %s", shown);
	return berth_cause(err, "it is told the wrong outer address (its http.host, or the proxy's "
				"Host and X-Forwarded-Proto headers); or allow that host by "
				"upload_hosts");
}

/* Does an URL end as a manifest's (".../manifests/REFERENCE") or a stored blob's
 * (".../blobs/sha256:...") does? What is sent to a session, or cancelled with it, must touch
 * none of these. A repository's name may hold such a word: only the end counts. */
static bool is_content(const char *url)
{
	char path[URL_MAX_BYTES + 1];
	if (!text_url_decode(url, strcspn(url, "?"), path, sizeof path))
		return false;
	size_t n = strlen(path);
	while (n && path[n - 1] == '/')
		path[--n] = 0;
	char *last = strrchr(path, '/');
	if (!last)
		return false;
	*last++ = 0;
	const char *kind = strrchr(path, '/');
	return kind &&
	       (!strcmp(kind, "/manifests") || (!strcmp(kind, "/blobs") && strchr(last, ':')));
}

int registry_location(const struct registry_request *q, char **ret_url, struct berth_error *err)
{
	const struct registry *r = q->registry;
	const char *location = registry_header(q, "location");
	AUTO_FREE char *url = NULL;
	struct url_origin o;

	if (!location)
		return berth_fail(err, BERTH_E_PROTOCOL, "an upload answer without a Location");
	int rc = url_join(q->url, location, &url, err);
	if (!rc)
		rc = url_parse_origin(url, &o, err);
	if (rc) {
		err->code = rc == BERTH_E_NO_MEMORY ? rc : BERTH_E_PROTOCOL;
		return berth_wrap(err, "the Location of an upload is no use");
	}
	if (!url_same_origin(&o, &r->origin) && !realm_in_list(&o, r->upload_hosts))
		return link_refuse_upload(&o, err);
	if (is_content(url))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "the Location of an upload is that of a manifest or of a blob");
	*ret_url = STEAL(url);
	return 0;
}
