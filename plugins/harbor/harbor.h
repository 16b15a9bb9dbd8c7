/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of harbor.so: one instance of a Harbor (2.4 or newer), the calls
 * to its API, and the slots by file. One job's process, one thread.
 *
 * Signing in. A user's password costs Harbor half a second of CPU at every
 * request (PBKDF2 with 600 000 rounds, seen at 2.15.2), so it is sent once,
 * to /c/login, and the session is kept for later jobs. A robot's secret is
 * cheap and can't open a session: it goes as Basic, without any cookie, since
 * Basic beside a cookie asks for a CSRF token.
 */
#ifndef PLUGINS_HARBOR_HARBOR_H
#define PLUGINS_HARBOR_HARBOR_H

#include <berth/plugin.h>
#include <jansson.h>
#include <stdbool.h>

#include "plugins/common/ask.h"

enum { HARBOR_PAGE = 100 }; /* the largest page_size; more is 422 */

struct harbor {
	struct remote remote; /* host, loop, and the registry's client for /v2/ */
	char *base;           /* the address, without a slash at its end */
	const char *username, *password;
	bool is_robot;
	char *session;    /* "sid=..; _gorilla_csrf=.." once signed in, or NULL */
	char *csrf;       /* the token of that session */
	bool was_kept;    /* the session is an earlier job's: it may have ended */
	int major, minor; /* 0: not asked yet */
	char *text[3];    /* strings of the last oci_endpoint */
};

/* One answer. status is 2xx unless accepted otherwise. */
struct reply {
	int status;
	json_t *json;   /* NULL where the body was empty or not asked for as JSON */
	char *body;     /* the text where it is not JSON */
	int64_t total;  /* X-Total-Count, or -1 */
	char *location; /* or NULL */
};
void reply_done(struct reply *r);
#define AUTO_REPLY CLEANUP(reply_done)

struct ask {
	const char *method; /* NULL: GET */
	const char *path;   /* below base, begins with a slash */
	const json_t *body; /* or NULL */
	bool is_text;       /* the answer is text (logs, ping) */
	bool anonymous;     /* without credentials */
	int accept;         /* one more status that is no error */
};
/* Asks, signing in first and once again where a kept session has ended. An
 * error names method and path, and says what Harbor's own error said. */
MUST_USE int harbor_ask(struct harbor *h, const struct ask *ask, struct reply *ret,
			struct berth_error *err);
/* GET of a JSON value; the caller owns *ret. */
MUST_USE int harbor_get(struct harbor *h, const char *path, json_t **ret, struct berth_error *err);
/* A change without an answer worth reading. */
MUST_USE int harbor_do(struct harbor *h, const char *method, const char *path, const json_t *body,
		       struct berth_error *err);
/* The same two with a path made by printf. */
MUST_USE int harbor_getf(struct harbor *h, json_t **ret, struct berth_error *err, const char *fmt,
			 ...) __attribute__((format(printf, 4, 5)));
MUST_USE int harbor_dof(struct harbor *h, const char *method, const json_t *body,
			struct berth_error *err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Every item of a paged list: path has its query already, or none. Goes on
 * until X-Total-Count items are there: below 2.6 pages run short where images
 * are signed, and an empty page is not the end. A list that shrank while it was
 * read is read once more, as an item may have moved to a page already read: so
 * items come twice, as they do where one is added. each: nonzero stops with
 * that code. */
MUST_USE int harbor_pages(struct harbor *h, const char *path,
			  int (*each)(void *user, json_t *item, struct berth_error *err),
			  void *user, struct berth_error *err);

/* The path of a repository's API object: /api/v2.0/projects/P/repositories/R. */
MUST_USE int harbor_path(const char *repository, char **ret, struct berth_error *err);
/* Learns the version (one request, then known). */
MUST_USE int harbor_version(struct harbor *h, struct berth_error *err);
MUST_USE int harbor_learn_version(struct harbor *h, const char *text, struct berth_error *err);
bool harbor_is_at_least(const struct harbor *h, int major, int minor);
/* The numeric id of a project by its name. */
MUST_USE int harbor_project(struct harbor *h, const char *name, json_t **ret,
			    struct berth_error *err);
/* Harbor's cron has six fields, seconds first, and 2.5 takes anything. */
MUST_USE int harbor_check_cron(const char *cron, struct berth_error *err);
/* The word of a RUN for a status of Harbor's executions and jobs. */
const char *harbor_run_state(const char *status);
/* The number of a project's retention policy; BERTH_E_NOT_FOUND: it has none. */
MUST_USE int harbor_retention_id(struct harbor *h, const char *space, int64_t *ret,
				 struct berth_error *err);
/* A time of Harbor as Unix milliseconds; 0 for "never" (year 1). */
int64_t harbor_time(const json_t *object, const char *key);

/* A log's text, a LOG a line. */
MUST_USE int harbor_give_log(struct berth_sink *sink, const char *text, struct berth_error *err);

/* sign.c */
MUST_USE int harbor_sign_in(struct harbor *h, struct berth_error *err);
void harbor_sign_out(struct harbor *h); /* forgets the session */
void harbor_take_kept(struct harbor *h);
/* wire.c: one exchange to its end. headers may be NULL. */
struct wire {
	const char *method, *path, *body, *content_type, *accept;
	const char *cookie, *csrf, *authorization;
};
MUST_USE int harbor_wire(struct harbor *h, const struct wire *w, struct net_exchange **ret,
			 struct berth_error *err);

/* faults.c: an answer with a status that was not wanted, as an error that says
 * what to do; may ask /health and /v2/. */
MUST_USE int harbor_fail(struct harbor *h, const struct ask *a, struct net_exchange *x,
			 struct berth_error *err);

/* The slots, by file. */
#define HARBOR_SLOT(name, ...)                                                                     \
	int harbor_##name(void *self, const struct berth_call *call, __VA_ARGS__,                  \
			  struct berth_error *err)
/* probe.c */
HARBOR_SLOT(probe, const char *scope_text, struct berth_sink *sink);
HARBOR_SLOT(overview, struct berth_sink *sink);
/* spaces.c */
HARBOR_SLOT(spaces, struct berth_sink *sink);
HARBOR_SLOT(space_create, const char *space, const char *space_json, struct berth_sink *sink);
HARBOR_SLOT(space_update, const char *space, const char *space_json, struct berth_sink *sink);
HARBOR_SLOT(space_delete, const char *space);
/* repositories.c */
HARBOR_SLOT(repositories, const char *space, struct berth_sink *sink);
HARBOR_SLOT(tags, const char *repository, struct berth_sink *sink);
HARBOR_SLOT(resolve, const char *space, struct berth_sink *sink);
HARBOR_SLOT(describe, const char *repository, const char *text);
HARBOR_SLOT(repository_delete, const char *repository, struct berth_sink *sink);
HARBOR_SLOT(oci_endpoint, const char *repository, struct berth_oci_endpoint *ret);
/* artifacts.c */
HARBOR_SLOT(artifact, const char *repository, const char *reference, struct berth_sink *sink);
HARBOR_SLOT(tag_delete, const char *repository, const char *tag);
HARBOR_SLOT(artifact_delete, const char *repository, const char *digest);
/* logins.c */
HARBOR_SLOT(login_create, const char *request_json, struct berth_sink *sink);
HARBOR_SLOT(login_list, const char *prefix, struct berth_sink *sink);
HARBOR_SLOT(login_revoke, const char *id);
/* retention.c */
HARBOR_SLOT(retention_get, const char *space, struct berth_sink *sink);
HARBOR_SLOT(retention_set, const char *space, const char *rules_json);
HARBOR_SLOT(retention_run, const char *space, struct berth_sink *sink);
/* retention_runs.c */
HARBOR_SLOT(retention_runs, const char *space, const char *run_id, struct berth_sink *sink);
/* maintain.c */
HARBOR_SLOT(maintain, const char *action, const char *arguments_json, struct berth_sink *sink);

/* scan_read.c: what scans found, and settings */
HARBOR_SLOT(scan_scanners, struct berth_sink *sink);
HARBOR_SLOT(scan_status, const char *target_json, struct berth_sink *sink);
HARBOR_SLOT(scan_report, const char *target_json, struct berth_sink *sink);
HARBOR_SLOT(scan_log, const char *target_json, struct berth_sink *sink);
HARBOR_SLOT(scan_configure, const char *settings_json);

extern const struct berth_scan_ops harbor_scan_ops; /* scan.c */
extern const struct berth_sync_ops harbor_sync_ops; /* sync.c */

#endif
