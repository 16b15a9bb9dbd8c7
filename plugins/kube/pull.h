/* SPDX-License-Identifier: Apache-2.0 */
/* A pull secret: what is wanted, what is there, and what makes the one into the
 * other. Ours is the secret whose annotation berth.io/workspace names the
 * workspace that wants it; no other is ever written or deleted.
 */
#ifndef PLUGINS_KUBE_PULL_H
#define PLUGINS_KUBE_PULL_H

#include "core/base/digest.h"
#include "kube.h"

#define PULL_TYPE "kubernetes.io/dockerconfigjson"
#define PULL_KEY ".dockerconfigjson"
#define PULL_WORKSPACE "berth.io/workspace"
#define PULL_ACCOUNT "berth.io/service-account" /* whose imagePullSecrets we entered it in */
#define PULL_HOSTS "berth.io/hosts"             /* that are ours in its content, by commas */

/* The spec of a lifecycle call; strings are the spec's. */
struct pull {
	json_t *spec;
	const char *namespace, *name, *owner;
	char *data;                    /* the content, in base64; NULL: not given */
	char digest[DIGEST_TEXT_ROOM]; /* of the content that is wanted, or "" */
	char *hosts;                   /* of that content, as PULL_HOSTS has them */
	json_t *confidential;          /* what no error may repeat */
	bool service_account;
	bool is_leaving; /* it is to go: of the content only what is not ours stays */
};
/* BERTH_E_INVALID names what is wrong; BERTH_E_UNSUPPORTED another kind. */
MUST_USE int pull_parse(const char *spec_text, bool wants_content, struct pull *ret,
			struct berth_error *err);
void pull_done(struct pull *p);
#define AUTO_PULL CLEANUP(pull_done)

enum pull_owner { PULL_ABSENT, PULL_OURS, PULL_OTHERS, PULL_FOREIGN };
struct pull_state {
	json_t *object; /* NULL: absent */
	enum pull_owner owner;
	const char *wrong;             /* what differs from what is wanted; NULL: nothing */
	bool must_replace;             /* its type is another, or it is immutable */
	bool has_account;              /* the service account has it by us */
	char digest[DIGEST_TEXT_ROOM]; /* of the content that is there, or "" */
	/* What others entered in ours: host -> entry. NULL: nothing, nor the rest. */
	json_t *others;
	char *data;                         /* the content with ours and theirs, in base64 */
	char both_digest[DIGEST_TEXT_ROOM]; /* of that */
	json_t *confidential;               /* what no error may repeat, of both */
};
void pull_state_done(struct pull_state *s);
#define AUTO_PULL_STATE CLEANUP(pull_state_done)
/* Reads it: one GET. */
MUST_USE int pull_read(struct kube *k, const struct pull *p, struct pull_state *ret,
		       struct berth_error *err);
/* May we write or delete it? BERTH_E_CONFLICT says whose it is and what to do. */
MUST_USE int pull_check_owner(const struct pull *p, const struct pull_state *s,
			      struct berth_error *err);
/* Who has set fields of it: the names, each once. */
json_t *pull_managers(const struct pull_state *s) MUST_USE;
/* Writes what is wanted by server-side apply, over what state is of. */
MUST_USE int pull_write(struct kube *k, const struct pull *p, const struct pull_state *s,
			bool is_dry, struct berth_error *err);
/* Takes out what is ours and leaves the secret to the others that entered something. */
MUST_USE int pull_leave(struct kube *k, const struct pull *p, const struct pull_state *s,
			struct berth_error *err);
/* Deletes exactly what was read; what is gone is no error. */
MUST_USE int pull_delete(struct kube *k, const struct pull *p, const struct pull_state *s,
			 struct berth_error *err);

/* look.c */
KUBE_SLOT(validate, const char *spec_json, struct berth_sink *sink);
KUBE_SLOT(status, const char *spec_json, struct berth_sink *sink);

/* merge.c: fills what state says of others, of an own secret whose content is this text: all
 * hosts that we did not enter before and that are not wanted of us now. */
MUST_USE int merge_others(const struct pull *p, const char *content, struct pull_state *to,
			  struct berth_error *err);
/* The hosts of auths as PULL_HOSTS has them; *ret is new. */
MUST_USE int merge_note(const json_t *auths, char **ret, struct berth_error *err);

/* Text in base64; new, or NULL. */
char *pull_encode(const char *text) MUST_USE;
/* Puts it on the list of what no error may repeat. */
MUST_USE int pull_hide(json_t *list, const char *text, struct berth_error *err);
/* The same for the secrets in the entries of auths. */
MUST_USE int pull_hide_entries(json_t *list, const json_t *auths, struct berth_error *err);
/* NULL: it has none. */
const char *pull_annotation(const json_t *object, const char *key);

/* account.c: is it in imagePullSecrets of the namespace's default account? */
MUST_USE int account_has(struct kube *k, const struct pull *p, bool *ret, struct berth_error *err);
/* Enters it there, or takes it out; all other entries stay. *ret: it had to be. */
MUST_USE int account_set(struct kube *k, const struct pull *p, bool is_in, bool is_dry, bool *ret,
			 struct berth_error *err);

#endif
