/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of Harbor page by page, its paths, and small readings of its JSON. */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"

struct pages {
	int (*each)(void *user, json_t *item, struct berth_error *err);
	void *user;
	int64_t seen, total; /* items given; X-Total-Count of the page before, or -1 */
	bool has_shrunk;     /* an item went away meanwhile: another may have slipped past us */
};

static int page_items(struct pages *p, json_t *items, struct berth_error *err)
{
	size_t i;
	json_t *item;
	json_array_foreach (items, i, item) {
		int r = p->each(p->user, item, err);
		if (r)
			return r;
		p->seen++;
	}
	return 0;
}

/* The pages of a total: the last one is known from the count, not from a
 * short page. One more is asked where the list grew meanwhile. */
static int64_t page_count(int64_t total)
{
	return (total + HARBOR_PAGE - 1) / HARBOR_PAGE;
}

static int64_t take_total(struct pages *p, int64_t total)
{
	if (p->total > total)
		p->has_shrunk = true;
	p->total = total;
	return page_count(total);
}

static int read_list(struct harbor *h, const char *path, struct pages *p, struct berth_error *err)
{
	char glue = strchr(path, '?') ? '&' : '?';
	struct ask_list come = {.path = path, .page_size = HARBOR_PAGE};
	for (int64_t page = 1, last = 1; page <= last; page++) {
		AUTO_REPLY struct reply reply = {0};
		AUTO_FREE char *url = text_printf("%s%cpage=%lld&page_size=%d", path, glue,
						  (long long)page, HARBOR_PAGE);
		if (!url)
			return berth_fail_memory(err);
		come.pages++;
		int r = ask_list_check(&h->remote, &come, err);
		if (!r)
			r = harbor_ask(h, &(struct ask){.path = url}, &reply, err);
		if (!r && reply.json && !json_is_array(reply.json) && !json_is_null(reply.json))
			return berth_fail(err, BERTH_E_PROTOCOL, "GET %s: not a list", url);
		if (!r)
			r = page_items(p, reply.json, err);
		if (r)
			return r;
		come.items += json_array_size(reply.json);
		if (reply.total >= 0)
			last = take_total(p, reply.total);
		else if (json_array_size(reply.json) == HARBOR_PAGE)
			last = page + 1; /* lists that tell no total */
	}
	return 0;
}

int harbor_pages(struct harbor *h, const char *path,
		 int (*each)(void *user, json_t *item, struct berth_error *err), void *user,
		 struct berth_error *err)
{
	struct pages p = {.each = each, .user = user, .total = -1};
	int r = read_list(h, path, &p, err);
	if (r || !p.has_shrunk)
		return r;
	p.total = -1;
	return read_list(h, path, &p, err);
}

/* Splits "project/repo/name" at the first slash and encodes the rest twice, as
 * the reverse proxy before Harbor decodes once. free() both. */
static int harbor_split(const char *repository, char **ret_project, char **ret_name,
			struct berth_error *err)
{
	const char *slash = strchr(repository, '/');
	if (!slash || slash == repository || !slash[1])
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.200s' is not a repository of Harbor (project/name)",
				  repository);
	AUTO_FREE char *project = strndup(repository, (size_t)(slash - repository));
	AUTO_FREE char *once = text_url_encode(slash + 1);
	AUTO_FREE char *twice = once ? text_url_encode(once) : NULL;
	AUTO_FREE char *escaped = project ? text_url_encode(project) : NULL;
	if (!twice || !escaped)
		return berth_fail_memory(err);
	*ret_project = STEAL(escaped);
	/* Only a slash or a percent sign needs the second round; others are equal. */
	*ret_name = STEAL(twice);
	return 0;
}

int harbor_path(const char *repository, char **ret, struct berth_error *err)
{
	AUTO_FREE char *project = NULL, *name = NULL;
	int r = harbor_split(repository, &project, &name, err);
	if (r)
		return r;
	*ret = text_printf("/api/v2.0/projects/%s/repositories/%s", project, name);
	return *ret ? 0 : berth_fail_memory(err);
}

int harbor_project(struct harbor *h, const char *name, json_t **ret, struct berth_error *err)
{
	AUTO_FREE char *escaped = text_url_encode(name);
	if (!escaped)
		return berth_fail_memory(err);
	int r = harbor_getf(h, ret, err, "/api/v2.0/projects/%s", escaped);
	/* 2.5 answers an administrator 403 for a name that is not there. */
	if (r == BERTH_E_DENIED)
		berth_wrap(err, "project '%s' is not there, or not ours to see", name);
	else if (r == BERTH_E_NOT_FOUND)
		berth_wrap(err, "project '%s' is not there", name);
	return r;
}

int harbor_learn_version(struct harbor *h, const char *text, struct berth_error *err)
{
	char major[8] = "", minor[8] = "";
	uint64_t a = 0, b = 0;
	const char *digits = text + (*text == 'v');
	size_t n = strcspn(digits, "."), m = digits[n] ? strspn(digits + n + 1, "0123456789") : 0;
	if (n < sizeof major && m && m < sizeof minor) {
		memcpy(major, digits, n);
		memcpy(minor, digits + n + 1, m);
	}
	if (!text_parse_u64(major, 1, 99, &a) || !text_parse_u64(minor, 0, 999, &b))
		return berth_fail(err, BERTH_E_PROTOCOL, "Harbor tells its version as '%.40s'",
				  text);
	h->major = (int)a;
	h->minor = (int)b;
	return 0;
}

int harbor_version(struct harbor *h, struct berth_error *err)
{
	AUTO_JSON json_t *info = NULL;
	if (h->major)
		return 0;
	int r = harbor_get(h, "/api/v2.0/systeminfo", &info, err);
	if (r)
		return r;
	const char *text = js_str(info, "harbor_version", NULL);
	if (!text)
		return berth_fail(err, BERTH_E_AUTH,
				  "Harbor tells its version to those it knows only: the user or "
				  "password was not accepted");
	return harbor_learn_version(h, text, err);
}

bool harbor_is_at_least(const struct harbor *h, int major, int minor)
{
	return h->major > major || (h->major == major && h->minor >= minor);
}

int64_t harbor_time(const json_t *object, const char *key)
{
	int64_t t;
	const char *text = js_str(object, key, NULL);
	return text && clock_parse(text, &t) && t > 0 ? t : 0;
}
