/* SPDX-License-Identifier: Apache-2.0 */
/* Path prefixes as spaces: the option, which space a repository is in, and the
 * slot that gives them.
 */
#include "dockerreg.h"

#include <stdlib.h>
#include <string.h>

#include "core/oci/reference.h"

#define DEFAULT_SPACE "default" /* holds what no declared prefix does */

static int add_prefix(struct prefixes *to, char *p, struct berth_error *err)
{
	size_t n = strlen(p);
	if (n && p[n - 1] == '/')
		p[n - 1] = 0;
	if (reference_check_repository(p, err))
		return berth_wrap(err, "option prefixes is wrong");
	if (!strcmp(p, DEFAULT_SPACE))
		return berth_fail(err, BERTH_E_INVALID,
				  "option prefixes names '" DEFAULT_SPACE
				  "', which holds what no prefix does");
	if (prefixes_have(to, p))
		return 0;
	if (to->count == PREFIXES_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "more than %d prefixes", PREFIXES_MAX);
	to->items[to->count++] = p;
	return 0;
}

/* Cuts a copy of the list in place. */
int prefixes_read(struct prefixes *ret, const struct remote *remote, struct berth_error *err)
{
	static const char between[] = ", \t\r\n";
	const char *text = remote_option(remote, "prefixes");
	int r = 0;
	if (!text)
		return 0;
	ret->text = strdup(text);
	if (!ret->text)
		return berth_fail_memory(err);
	for (char *p = ret->text; !r && *(p += strspn(p, between));) {
		char *end = p + strcspn(p, between);
		bool last = !*end;
		*end = 0;
		r = add_prefix(ret, p, err);
		p = last ? end : end + 1;
	}
	return r;
}

void prefixes_done(struct prefixes *p)
{
	free(p->text);
}

bool prefixes_have(const struct prefixes *p, const char *space)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->items[i], space))
			return true;
	return !strcmp(space, DEFAULT_SPACE);
}

static bool is_below(const char *repository, const char *prefix)
{
	size_t n = strlen(prefix);
	return !strncmp(repository, prefix, n) && (repository[n] == '/' || !repository[n]);
}

bool prefixes_hold(const struct prefixes *p, const char *space, const char *repository)
{
	const char *best = NULL;
	for (size_t i = 0; i < p->count; i++)
		if (is_below(repository, p->items[i]) &&
		    (!best || strlen(p->items[i]) > strlen(best)))
			best = p->items[i];
	return !strcmp(space, best ? best : DEFAULT_SPACE);
}

int prefixes_tell(const struct prefixes *p, struct berth_sink *sink, struct berth_error *err)
{
	return remote_give_fact(sink, "spaces", json_integer((json_int_t)p->count + 1), err);
}

static int give_space(struct dockerreg *d, const char *name, struct berth_sink *sink,
		      struct berth_error *err)
{
	AUTO_JSON json_t *more = json_object();
	/* Whoever needs no password to integrate it needs none to pull. */
	json_object_set_new(more, "public", json_boolean(!d->username));
	json_object_set_new(more, "mode", json_string("local"));
	json_object_set_new(more, "push", json_true());
	json_object_set_new(more, "declared", json_boolean(strcmp(name, DEFAULT_SPACE) != 0));
	struct give g = {.kind = BERTH_ITEM_SPACE, .name = name, .more = more};
	return remote_give(sink, &g, err);
}

int prefixes_spaces(void *self, const struct berth_call *call, struct berth_sink *sink,
		    struct berth_error *err)
{
	struct dockerreg *d = self;
	remote_begin(&d->remote, call);
	int r = give_space(d, DEFAULT_SPACE, sink, err);
	for (size_t i = 0; !r && i < d->prefixes.count; i++)
		r = give_space(d, d->prefixes.items[i], sink, err);
	return r;
}
