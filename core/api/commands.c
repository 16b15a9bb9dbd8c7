/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to paste that log in, pull, tag and push, for the usual tools: of an image
 * (/v1/spaces/{id}/commands) and of a whole integration. Each value is quoted for a POSIX shell
 * where it needs that, so that a user name with $ (Harbor's robots) stays what it
 * is. Nothing secret is in them: passwords are read from standard input.
 */
#include "core/api/commands.h"

#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/image.h"
#include "core/api/integration.h"
#include "core/base/text.h"
#include "core/net/url.h"

/* One line. In text, $R is the reference, $H the registry, $U the user name, $L
 * a local name, $T the words that the registry's TLS calls for. */
struct template
{
	const char *tool, *action, *text;
};
static const struct template templates[] = {
	{"docker", "login", "docker login --username $U --password-stdin $H"},
	{"docker", "pull", "docker pull $R"},
	{"docker", "tag", "docker tag $L $R"},
	{"docker", "push", "docker push $R"},
	{"podman", "login", "podman login$T --username $U --password-stdin $H"},
	{"podman", "pull", "podman pull$T $R"},
	{"podman", "tag", "podman tag $L $R"},
	{"podman", "push", "podman push$T $R"},
	{"nerdctl", "login", "nerdctl$T login --username $U --password-stdin $H"},
	{"nerdctl", "pull", "nerdctl$T pull $R"},
	{"nerdctl", "tag", "nerdctl tag $L $R"},
	{"nerdctl", "push", "nerdctl$T push $R"},
	{"skopeo", "login", "skopeo login$T --username $U --password-stdin $H"},
	{"skopeo", "pull", "skopeo copy$T docker://$R docker-archive:image.tar"},
	{"skopeo", "push", "skopeo copy$T docker-archive:image.tar docker://$R"},
	{"ctr", "pull", "ctr images pull$T $R"},
	{"ctr", "tag", "ctr images tag $L $R"},
	{"ctr", "push", "ctr images push$T $R"},
	{"crictl", "pull", "crictl pull $R"},
};

/* What a tool has to be told of a registry without TLS, or with one that it
 * can't check; docker and crictl have it in their daemon's configuration. */
static const struct {
	const char *tool, *plain, *unchecked;
} tls_words[] = {
	{"podman", " --tls-verify=false", " --tls-verify=false"},
	{"nerdctl", " --insecure-registry", " --insecure-registry"},
	{"ctr", " --plain-http", " --skip-verify"},
};

struct lines {
	char *reference, *registry, *user, *local; /* quoted */
	bool is_plain, is_unchecked;
	bool can_push;
};
static void lines_done(struct lines *l)
{
	free(l->reference);
	free(l->registry);
	free(l->user);
	free(l->local);
}
#define AUTO_LINES CLEANUP(lines_done)

/* A word for a POSIX shell: as it is where no character could mean anything
 * else, otherwise in single quotes. NULL: no memory. */
static char *quoted(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "@%+=:,./_-";
	if (*word && word[0] != '-' && !word[strspn(word, safe)])
		return strdup(word);
	char *text = malloc(strlen(word) * 4 + 3), *to = text;
	if (!text)
		return NULL;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(to, "'\\''", 4);
			to += 4;
		} else {
			*to++ = *word;
		}
	}
	*to++ = '\'';
	*to = '\0';
	return text;
}

static const char *words_of_tls(const struct lines *l, const char *tool, const char *action)
{
	if (!l->is_plain && !l->is_unchecked)
		return "";
	if (!strcmp(tool, "skopeo"))
		return !strcmp(action, "pull")   ? " --src-tls-verify=false"
		       : !strcmp(action, "push") ? " --dest-tls-verify=false"
						 : " --tls-verify=false";
	for (size_t i = 0; i < ARRAY_COUNT(tls_words); i++)
		if (!strcmp(tls_words[i].tool, tool))
			return l->is_plain ? tls_words[i].plain : tls_words[i].unchecked;
	return "";
}

static int write_line(const struct lines *l, const struct template *t, struct buf *to,
		      struct berth_error *err)
{
	const char *at = t->text;
	int code = 0;

	while (!code && *at) {
		size_t n = strcspn(at, "$");
		code = buf_add(to, at, n, err);
		at += n;
		if (code || !*at)
			continue;
		const char *value = at[1] == 'R'   ? l->reference
				    : at[1] == 'H' ? l->registry
				    : at[1] == 'U' ? l->user
				    : at[1] == 'L' ? l->local
						   : words_of_tls(l, t->tool, t->action);
		code = buf_add_text(to, value, err);
		at += 2;
	}
	return code;
}

static bool is_writing(const struct template *t)
{
	return !strcmp(t->action, "push") || !strcmp(t->action, "tag");
}

static int add_line(json_t *list, const char *tool, const char *action, const char *line,
		    struct berth_error *err)
{
	return json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "tool", tool, "action",
						     action, "line", line))
		       ? berth_fail_memory(err)
		       : 0;
}

/* A container of a Pod, as YAML; a double-quoted scalar takes any reference. */
static int add_kubernetes(json_t *list, const char *reference, struct berth_error *err)
{
	char *text AUTO_FREE = text_printf("image: \"%s\"", reference);

	return text ? add_line(list, "kubernetes", "pull", text, err) : berth_fail_memory(err);
}

static int all_lines(const struct lines *l, const char *reference, json_t **ret,
		     struct berth_error *err)
{
	json_t *list AUTO_JSON = json_array();
	int code = list ? 0 : berth_fail_memory(err);

	for (size_t i = 0; !code && i < ARRAY_COUNT(templates); i++) {
		struct buf line AUTO_BUF = {.max = 16384};
		if (is_writing(&templates[i]) && !l->can_push)
			continue;
		code = write_line(l, &templates[i], &line, err);
		if (!code)
			code = add_line(list, templates[i].tool, templates[i].action,
					buf_text(&line), err);
	}
	if (!code)
		code = add_kubernetes(list, reference, err);
	if (!code)
		*ret = STEAL(list);
	return code;
}

/* Who may write to a space by Berth may push there: the platform's roles that copy, and a
 * workspace to what is its own. A binding is for pulling. */
static bool may_push(struct request *q, const struct space *space)
{
	return request_may(q, POINT_COPIES_RUN) ||
	       (!request_is_platform(q) && text_workspace_bytes(space->integration));
}

/* Why nothing can be pushed there, or NULL. */
static const char *why_no_push(struct request *q, const struct space *space,
			       const struct reference *of)
{
	if (*of->digest)
		return "a digest names what is there; push by a tag";
	if (space->can_push && !may_push(q, space))
		return "your role may pull from it and no more: to push takes copies.run, or a "
		       "space of your workspace's own";
	if (space->can_push && space->quota_bytes >= 0 && space->used_bytes >= space->quota_bytes)
		return "the space's quota is used up";
	if (space->can_push)
		return NULL;
	if (!strcmp(space->mode, "proxy"))
		return "the space is a proxy cache: it fills itself when it is pulled from";
	if (!strcmp(space->mode, "virtual"))
		return "the space is virtual: push to one of those that it shows";
	return "the registry takes no push there with what Berth knows";
}

static const char *note_of(const struct lines *l)
{
	if (l->is_plain)
		return "the registry speaks plain HTTP: docker and crictl need it among the "
		       "insecure registries of their daemon";
	return l->is_unchecked ? "Berth does not check this registry's certificate: docker and "
				 "crictl need its CA, or it among their insecure registries"
			       : NULL;
}

/* The option docker_hosts of plugins that have it: spaces with a host or port of their own,
 * "SPACE=URL, ..."; there a reference has no space. NULL: it is not one of them. */
static char *own_host(const json_t *desired, const char *repository)
{
	const char *at = js_str(json_object_get(desired, "options"), "docker_hosts", "");
	size_t space = strcspn(repository, "/");

	while (*(at += strspn(at, ", "))) {
		size_t entry = strcspn(at, ",");

		if (entry > space + 1 && !strncmp(at, repository, space) && at[space] == '=')
			return strndup(at + space + 1, entry - space - 1);
		at += entry;
	}
	return NULL;
}

/* Host and port as references have them; the address's path is no part of it. */
static int registry_of(const char *address, char *to, size_t room, bool *ret_plain,
		       struct berth_error *err)
{
	struct url_origin origin;
	char text[URL_HOST_ROOM + 32];

	if (url_parse_origin(address, &origin, err))
		return err->code;
	url_format_origin(&origin, text, sizeof(text));
	*ret_plain = !origin.is_https;
	snprintf(to, room, "%s", strstr(text, "://") ? strstr(text, "://") + 3 : text);
	return 0;
}

static int fill(struct lines *l, const char *registry, const char *reference, const char *user,
		const char *repository, struct berth_error *err)
{
	const char *name = strrchr(repository, '/');

	l->reference = quoted(reference);
	l->registry = quoted(registry);
	l->user = quoted(user);
	l->local = quoted(name ? name + 1 : repository);
	return l->reference && l->registry && l->user && l->local ? 0 : berth_fail_memory(err);
}

/* What lines are made of besides the integration; end: ":TAG" or "@DIGEST". */
struct line_words {
	const char *user, *repository, *end;
	bool can_push;
};

static int make_body(const json_t *desired, const struct line_words *words, json_t **ret,
		     struct berth_error *err)
{
	struct lines l AUTO_LINES = {.can_push = words->can_push};
	json_t *list = NULL;
	char registry[URL_HOST_ROOM + 32];
	char *own AUTO_FREE = own_host(desired, words->repository);
	const char *path = own ? strchr(words->repository, '/') : NULL;

	if (registry_of(path ? own : js_str(desired, "address", ""), registry, sizeof(registry),
			&l.is_plain, err))
		return err->code;
	l.is_unchecked = !js_bool(json_object_get(desired, "tls"), "verify", true);
	char *reference AUTO_FREE =
		text_printf("%s/%s%s", registry, path ? path + 1 : words->repository, words->end);
	if (!reference)
		return berth_fail_memory(err);
	if (fill(&l, registry, reference, words->user, words->repository, err) ||
	    all_lines(&l, reference, &list, err))
		return err->code;
	*ret = json_pack("{s:s, s:s, s:b, s:o}", "registry", registry, "reference", reference,
			 "push", l.can_push ? 1 : 0, "commands", list);
	if (!*ret)
		return berth_fail_memory(err);
	js_put_str(*ret, "note", note_of(&l));
	return 0;
}

int commands_quick_start(const json_t *desired, bool has_spaces, json_t **ret,
			 struct berth_error *err)
{
	struct line_words words = {
		.user = "USER",
		.repository = has_spaces ? "SPACE/REPOSITORY" : "REPOSITORY",
		.end = ":TAG",
		.can_push = true,
	};

	return make_body(desired, &words, ret, err);
}

static int answer_lines(struct request *q, struct answer *a, const struct space *space,
			const struct reference *of, struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	const char *user = request_query(q, "username");
	const char *mark = *of->digest ? "@" : ":", *tag = *of->tag ? of->tag : "latest";
	char *end AUTO_FREE = text_printf("%s%s", mark, *of->digest ? of->digest : tag);
	json_t *desired AUTO_JSON = NULL, *body = NULL;

	if (!end)
		return berth_fail_memory(err);
	/* What is pushed has a tag: a digest follows from its bytes. */
	const char *why = why_no_push(q, space, of);
	struct line_words words = {.user = user ? user : "USER",
				   .repository = of->repository,
				   .end = end,
				   .can_push = !why};
	if (integration_get_by_id(request_daemon(q)->store, space->integration_id, &row, err) ||
	    api_parse(row.desired, &desired, err) || make_body(desired, &words, &body, err))
		return err->code;
	js_put_str(body, "push_refused", why);
	answer_json(a, 200, body);
	return 0;
}

void api_commands_list(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct space holder AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	struct reference of;

	if (!space_of_route(q, a, &space))
		return;
	if (space_reference(&space, request_query(q, "reference"), &of, &err)) {
		space_reference_refused(a, &err);
		return;
	}
	int code = space_of_repository(request_daemon(q)->store, space.integration_id,
				       of.repository, &holder, &err);
	if (!code && strcmp(holder.id, space.id) != 0)
		code = berth_fail(&err, BERTH_E_NOT_FOUND, "space %s holds no repository %s",
				  space.name, of.repository);
	if (code || answer_lines(q, a, &space, &of, &err))
		api_fail(a, &err, "berthctl space list");
}
