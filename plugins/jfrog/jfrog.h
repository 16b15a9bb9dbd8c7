/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of jfrog.so: one instance of Artifactory 7, its REST API, and the
 * slots by file. A Docker repository key is a space; a repository's full path
 * is KEY/IMAGE. One job's process, one thread.
 */
#ifndef PLUGINS_JFROG_JFROG_H
#define PLUGINS_JFROG_JFROG_H

#include "plugins/common/ask.h"

enum key_kind { KEY_LOCAL, KEY_REMOTE, KEY_VIRTUAL };

/* One Docker repository key. */
struct key {
	char *name;
	char *description;
	enum key_kind kind;
};

struct jfrog {
	struct remote remote;
	char *art; /* host and the context path: https://h/artifactory */
	const char *username, *password, *token, *api_key;
	struct key *keys; /* asked once a job */
	size_t key_count;
	bool has_keys, has_configs;
	json_t *configs; /* asked once a job; NULL: not for us to see */
	char *text[2];   /* strings of the last oci_endpoint */
};

struct answer {
	int status;
	json_t *json;
	char *text; /* where JSON was not asked for */
};
void answer_done(struct answer *a);
#define AUTO_ANSWER CLEANUP(answer_done)

/* One request below art. body NULL: none; type: its Content-Type, NULL for JSON.
 * is_text: the answer is not JSON. Asked again as ask_again has it. */
struct question {
	const char *method, *path, *body, *type;
	bool is_text;
	bool is_read; /* a POST that changes nothing: asked again as GET is */
};
MUST_USE int jfrog_ask(struct jfrog *j, const struct question *q, struct answer *ret,
		       struct berth_error *err);
/* The keys of this instance; filled by one request. */
MUST_USE int jfrog_keys(struct jfrog *j, struct berth_error *err);
/* The key of that name; BERTH_E_NOT_FOUND. */
MUST_USE int jfrog_key(struct jfrog *j, const char *name, const struct key **ret,
		       struct berth_error *err);
/* What an administrator sees of the keys' configurations, {KEY: {"layout", "deploys_to"}},
 * by one request of 7.61.3 and newer; *ret (borrowed) is NULL where it is refused.
 * deploys_to is of virtual keys alone: "" takes no push. */
MUST_USE int jfrog_configs(struct jfrog *j, const json_t **ret, struct berth_error *err);
/* Splits KEY/IMAGE; free() both. BERTH_E_INVALID where there is no image. */
MUST_USE int jfrog_split(const char *repository, char **ret_key, char **ret_image,
			 struct berth_error *err);
/* The base URL of a key's registry (what stands before /v2/); free(). */
char *jfrog_registry_url(const struct jfrog *j, const char *key) MUST_USE;

/* aql.c */
struct tag_row {
	const struct key *key;
	const char *image, *tag;
	const char *digest; /* "sha256:..." of its manifest, or NULL */
	uint64_t bytes;     /* with its layers; 0: an index, or not asked for */
	int64_t updated_ms;
};
typedef int aql_each(void *user, const struct tag_row *row, struct berth_error *err);
/* Keys with a storage of their own, as many as one query takes. */
#define AQL_KEYS_AT_ONCE 256
struct aql_keys {
	const struct key *items[AQL_KEYS_AT_ONCE];
	size_t count;
};
/* Takes keys from the front of all, leaving out virtual ones, and returns how many it
 * has looked at: at least one where count is not 0. */
size_t aql_fill(struct aql_keys *keys, const struct key *all, size_t count);
struct aql_wish {
	aql_each *each;
	const char *image; /* NULL: all */
	bool with_sizes;   /* a row a layer is read then */
};
/* Calls each for every tag, in order of key, image and tag; a list manifest hides the
 * plain one of its folder, and folders named by digest are children. image "a" also
 * gives what is below "a/". BERTH_E_UNSUPPORTED where AQL is not allowed: fall back to
 * the catalog; BERTH_E_LIMIT where the server cuts the list short. */
MUST_USE int aql_tags(struct jfrog *j, const struct aql_keys *keys, const struct aql_wish *wish,
		      void *user, struct berth_error *err);
/* Adds "KEY/IMAGE": description of what has one to `to`; nothing where properties may
 * not be asked for (AQL of some versions is for administrators there). */
MUST_USE int aql_descriptions(struct jfrog *j, const struct aql_keys *keys, json_t *to,
			      struct berth_error *err);

#define JFROG_SLOT(name, ...)                                                                      \
	int jfrog_##name(void *self, const struct berth_call *call, __VA_ARGS__,                   \
			 struct berth_error *err)
/* probe.c */
JFROG_SLOT(probe, const char *scope_text, struct berth_sink *sink);
JFROG_SLOT(overview, struct berth_sink *sink);
JFROG_SLOT(spaces, struct berth_sink *sink);
/* browse.c */
JFROG_SLOT(repositories, const char *space, struct berth_sink *sink);
JFROG_SLOT(tags, const char *repository, struct berth_sink *sink);
JFROG_SLOT(resolve, const char *space, struct berth_sink *sink);
JFROG_SLOT(artifact, const char *repository, const char *reference, struct berth_sink *sink);
JFROG_SLOT(oci_endpoint, const char *repository, struct berth_oci_endpoint *ret);
/* change.c */
JFROG_SLOT(tag_delete, const char *repository, const char *tag);
JFROG_SLOT(artifact_delete, const char *repository, const char *digest);
JFROG_SLOT(repository_delete, const char *repository, struct berth_sink *sink);
JFROG_SLOT(describe, const char *repository, const char *text);

#endif
