/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of kube.so: one Kubernetes cluster (1.22 or newer) by its API
 * server, the calls to it, and the slots by file. One job's process, one thread.
 */
#ifndef PLUGINS_KUBE_KUBE_H
#define PLUGINS_KUBE_KUBE_H

#include <berth/plugin.h>
#include <jansson.h>
#include <stdbool.h>

#include "plugins/common/ask.h"

struct kube {
	struct remote remote;
	char *base;        /* the address, without a slash at its end */
	const char *token; /* or NULL: a client certificate, or nobody */
	bool has_certificate;
	const json_t *confidential; /* texts that no error may repeat; borrowed, or NULL */
	char *fresh_continue;       /* the token that the last 410 gave, encoded; or NULL */
};

/* One request. The answer is JSON unless is_text. */
struct kube_ask {
	const char *method; /* NULL: GET */
	const char *path;   /* below base, begins with a slash, encoded */
	const json_t *body; /* or NULL */
	const char *type;   /* its Content-Type; NULL: application/json */
	bool is_text;
};
/* Asks. Reads that meet a busy server or a broken connection are asked again, and
 * so is everything that meets 429, which the server says before it has done
 * anything; as often as net_tries, within the call's time. An error says in a
 * sentence what to do, with the server's own words as its cause. *ret: NULL for
 * an empty answer; of a text, a string. */
MUST_USE int kube_ask(struct kube *k, const struct kube_ask *ask, json_t **ret,
		      struct berth_error *err);
/* GET of an object, the path made by printf; the caller owns *ret. */
MUST_USE int kube_getf(struct kube *k, json_t **ret, struct berth_error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Each object of a list once, 500 or `limit` a page; goes on where a page's token
 * has become too old (410). each: nonzero stops with that code. */
typedef int kube_each(void *user, const json_t *object, struct berth_error *err);
MUST_USE int kube_list(struct kube *k, const char *path, unsigned limit, kube_each *each,
		       void *user, struct berth_error *err);
/* faults.c: an answer with a status that was not wanted, as an error. */
MUST_USE int kube_fail(struct kube *k, const struct kube_ask *ask, struct net_exchange *x,
		       struct berth_error *err);

/* metadata.KEY of an object, or "". */
const char *kube_meta(const json_t *object, const char *key);
/* A name as Kubernetes has them, which may stand in a path as it is: a label
 * (RFC 1123) of at most 63 bytes, or labels with dots, at most 253. */
bool kube_is_label(const char *s);
bool kube_is_name(const char *s);

/* rights.c */
struct kube_right {
	const char *verb, *resource;
	bool in_namespace;
};
/* What pull secrets need; ends with a NULL verb. */
extern const struct kube_right kube_rights[];
/* May we? namespace NULL or "": everywhere. */
MUST_USE int kube_may(struct kube *k, const struct kube_right *right, const char *namespace,
		      bool *ret, struct berth_error *err);

/* nodes.c */
MUST_USE int kube_nodes(struct kube *k, kube_each *each, void *user, struct berth_error *err);
bool kube_node_is_ready(const json_t *node);
bool kube_node_takes_pods(const json_t *node); /* it is not cordoned off */
/* What it has for pods of a resource, times scale; 0: unknown. */
int64_t kube_node_amount(const json_t *node, const char *resource, uint32_t scale);
/* An OBJECT for each node. */
MUST_USE int kube_give_nodes(struct kube *k, struct berth_sink *sink, struct berth_error *err);

/* The slots, by file. */
#define KUBE_SLOT(name, ...)                                                                       \
	int kube_##name(void *self, const struct berth_call *call, __VA_ARGS__,                    \
			struct berth_error *err)
/* probe.c */
KUBE_SLOT(probe, const char *scope_text, struct berth_sink *sink);
/* overview.c */
KUBE_SLOT(overview, struct berth_sink *sink);
KUBE_SLOT(spaces, struct berth_sink *sink);

extern const struct berth_lifecycle_ops kube_lifecycle_ops; /* lifecycle.c */

#endif
