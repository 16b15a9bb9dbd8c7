/* SPDX-License-Identifier: Apache-2.0 */
/* berth/ops.h - what a plugin can do: the four op tables, a call, and what
 * comes back. Part of plugin.h, which has the rules of the boundary.
 *
 * Common to all slots: they take the instance, the call, arguments, a sink
 * where there are results, and the error; they return 0 or BERTH_E_*. Names
 * ending in _json are JSON objects. A NULL slot means "unsupported". A slot
 * may block until the call's deadline.
 *
 * berthd 0.1 calls every slot of the integration and sync tables, and of table
 * scan all but database_update; for clusters apply, remove and status of
 * lifecycle. Nothing reaches the other slots yet.
 */
#ifndef BERTH_OPS_H
#define BERTH_OPS_H

#include <berth/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One call in flight. Valid until the operation returns. */
struct berth_call {
	uint32_t size;
	uint32_t flags;       /* BERTH_CALL_*; bits we don't know are ignored */
	const char *id;       /* request id, for logs and upstream headers */
	uint64_t deadline_ms; /* CLOCK_MONOTONIC milliseconds; 0: none */
	void *core;           /* opaque */
};
/* Say what would be done, write nothing anywhere. berthd 0.1 sets it for
 * retention and house-keeping. */
#define BERTH_CALL_DRY_RUN 1u

/* What an item is. The keys of more_json by kind, with their types, are in
 * berth-plugin(7), KEYS OF ITEMS. */
enum {
	BERTH_ITEM_FACT = 1,   /* name; more: value, any JSON: version, features */
	BERTH_ITEM_SPACE,      /* name; bytes used; more: public, mode, push, quota_bytes */
	BERTH_ITEM_REPOSITORY, /* name: the full path; more: description, artifacts, pulls */
	BERTH_ITEM_TAG,        /* name; digest where known; bytes; updated_ms: its push */
	BERTH_ITEM_ARTIFACT,   /* digest; more: the artifact document */
	BERTH_ITEM_REFERRER,   /* digest; more: kind, artifact_type, media_type, size */
	BERTH_ITEM_LOGIN,      /* name: the user name; more: secret (once), expires_at */
	BERTH_ITEM_STEP,       /* one step of a plan; more: action, object, reason */
	BERTH_ITEM_CONDITION,  /* one condition of a status; more: status, reason, message */
	BERTH_ITEM_RUN,        /* one execution: id; more: state, counts, times */
	BERTH_ITEM_TASK,       /* one task of an execution */
	BERTH_ITEM_LOG,        /* one piece of a log: name is the text */
	BERTH_ITEM_FINDING,    /* one vulnerability: id; more: package, version, fixed, severity */
	BERTH_ITEM_RULE,       /* one retention or immutability rule */
	BERTH_ITEM_OBJECT      /* a rendered or foreign object: more is the object itself */
};

/* One result. Borrowed: the sink copies what it keeps. Strings are UTF-8. */
struct berth_item {
	uint32_t size;
	uint32_t kind;         /* BERTH_ITEM_* */
	const char *id;        /* stable within the instance; NULL: the name is */
	const char *name;      /* for people */
	const char *digest;    /* "sha256:..." or NULL */
	uint64_t bytes;        /* 0: unknown */
	int64_t updated_ms;    /* Unix milliseconds; 0: unknown */
	const char *more_json; /* one JSON object, or NULL */
};
struct berth_sink {
	uint32_t size;
	uint32_t reserved; /* 0 */
	/* Zero to go on; anything else means stop and return BERTH_E_CANCELLED. */
	int (*put)(struct berth_sink *sink, const struct berth_item *item);
};

/* Where a repository's bytes are and how to authenticate: image bytes never
 * cross this ABI, the core's engine moves them. Strings live in the instance
 * until its next call. */
struct berth_oci_endpoint {
	uint32_t size;          /* set by the core */
	uint32_t flags;         /* BERTH_OCI_* */
	const char *base_url;   /* what stands before /v2/, without a trailing slash */
	const char *repository; /* the name under /v2/ */
	const char *username;   /* NULL: anonymous */
	const char *password;
	const char *bearer; /* a token to send as it is, instead; NULL: none */
};
#define BERTH_OCI_PATCH_ONLY 1u  /* uploads want PATCH before PUT (Artifactory) */
#define BERTH_OCI_NO_PUSH 2u     /* a proxy or virtual space: a push is refused */
#define BERTH_OCI_REFERRERS 4u   /* has the referrers API */
#define BERTH_OCI_BASIC_FIRST 8u /* send Basic at once, saving a token round trip */

/* Things that live somewhere: hosted Harbors, buckets, databases, roles.
 * spec_json is the desired object as the API has it. */
struct berth_lifecycle_ops {
	uint32_t size;
	uint32_t reserved;
	/* Is the spec right by itself and against the server? A STEP for each
	 * finding, all at once; BERTH_E_INVALID when one forbids going on. */
	int (*validate)(void *self, const struct berth_call *call, const char *spec_json,
			struct berth_sink *sink, struct berth_error *err);
	/* What apply would do, a STEP each; renders OBJECTs when asked by
	 * "render": true. Writes nothing. */
	int (*plan)(void *self, const struct berth_call *call, const char *spec_json,
		    struct berth_sink *sink, struct berth_error *err);
	/* Make it so; idempotent: applying again goes on where it stopped. */
	int (*apply)(void *self, const struct berth_call *call, const char *spec_json,
		     struct berth_sink *sink, struct berth_error *err);
	/* Remove it; options_json says what goes along ("data": false keeps it).
	 * What is gone already is no error. */
	int (*remove)(void *self, const struct berth_call *call, const char *spec_json,
		      const char *options_json, struct berth_sink *sink, struct berth_error *err);
	/* CONDITIONs and FACTs of the thing as it is. */
	int (*status)(void *self, const struct berth_call *call, const char *spec_json,
		      struct berth_sink *sink, struct berth_error *err);
	/* Change the running thing by a named action: "upgrade", "restart",
	 * "rotate", with arguments. BERTH_E_UNSUPPORTED names the action. */
	int (*act)(void *self, const struct berth_call *call, const char *spec_json,
		   const char *action, const char *arguments_json, struct berth_sink *sink,
		   struct berth_error *err);
};

/* A server that holds images (or buckets, databases, clusters: then only
 * probe, overview and spaces). Names are as the server has them: a space's
 * name, a repository's full path, a tag or digest as reference. */
struct berth_integration_ops {
	uint32_t size;
	uint32_t reserved;
	/* Try address, TLS, user, password and rights; one attempt with the
	 * password. FACTs: product, version, features, rights, console. The error's
	 * code says which failed: UNAVAILABLE (name, route), TLS, PROTOCOL (not such a
	 * server), AUTH (user or password), DENIED (rights), UNSUPPORTED (too old).
	 * scope_json: {"scope":"platform"|"workspace"}. */
	int (*probe)(void *self, const struct berth_call *call, const char *scope_json,
		     struct berth_sink *sink, struct berth_error *err);
	/* FACTs spaces, repositories, artifacts, bytes: the cheap ones only; shown
	 * beside the counts of the index. */
	int (*overview)(void *self, const struct berth_call *call, struct berth_sink *sink,
			struct berth_error *err);
	/* Every SPACE. */
	int (*spaces)(void *self, const struct berth_call *call, struct berth_sink *sink,
		      struct berth_error *err);
	/* Make, change, delete a space. space_json: public, quota_bytes, ... */
	int (*space_create)(void *self, const struct berth_call *call, const char *space,
			    const char *space_json, struct berth_sink *sink,
			    struct berth_error *err);
	int (*space_update)(void *self, const struct berth_call *call, const char *space,
			    const char *space_json, struct berth_sink *sink,
			    struct berth_error *err);
	/* BERTH_E_CONFLICT with the reason where it is not empty. */
	int (*space_delete)(void *self, const struct berth_call *call, const char *space,
			    struct berth_error *err);
	/* Every REPOSITORY of a space; space NULL: of the server, which is what
	 * berthd 0.1 asks for. */
	int (*repositories)(void *self, const struct berth_call *call, const char *space,
			    struct berth_sink *sink, struct berth_error *err);
	/* Every TAG of a repository, in the server's order. */
	int (*tags)(void *self, const struct berth_call *call, const char *repository,
		    struct berth_sink *sink, struct berth_error *err);
	/* Digests in bulk: a TAG (id: repository, name: tag, digest) for each tag
	 * of a space, in as few requests as the server allows. In a refresh it
	 * stands in for tags; BERTH_E_UNSUPPORTED: not for that space. */
	int (*resolve)(void *self, const struct berth_call *call, const char *space,
		       struct berth_sink *sink, struct berth_error *err);
	/* One ARTIFACT (and its REFERRERs) by tag or digest. */
	int (*artifact)(void *self, const struct berth_call *call, const char *repository,
			const char *reference, struct berth_sink *sink, struct berth_error *err);
	/* Delete one tag and leave what it points to and its other tags alone.
	 * BERTH_E_UNSUPPORTED where deletion is off at the server (405);
	 * BERTH_E_CONFLICT where the server could only do it with other tags. */
	int (*tag_delete)(void *self, const struct berth_call *call, const char *repository,
			  const char *tag, struct berth_error *err);
	/* Delete an artifact, by digest, with all its tags. */
	int (*artifact_delete)(void *self, const struct berth_call *call, const char *repository,
			       const char *digest, struct berth_error *err);
	/* Delete a repository with all that it holds. */
	int (*repository_delete)(void *self, const struct berth_call *call, const char *repository,
				 struct berth_sink *sink, struct berth_error *err);
	/* Write a repository's description (Markdown, any UTF-8). It is read by
	 * repositories. */
	int (*describe)(void *self, const struct berth_call *call, const char *repository,
			const char *text, struct berth_error *err);
	/* A temporary credential: request_json has name, spaces, rights, ttl_s.
	 * The same name again gives BERTH_E_CONFLICT, so that a clean-up after a
	 * crash finds what was made. One LOGIN. */
	int (*login_create)(void *self, const struct berth_call *call, const char *request_json,
			    struct berth_sink *sink, struct berth_error *err);
	/* LOGINs whose name begins with prefix. */
	int (*login_list)(void *self, const struct berth_call *call, const char *prefix,
			  struct berth_sink *sink, struct berth_error *err);
	int (*login_revoke)(void *self, const struct berth_call *call, const char *id,
			    struct berth_error *err);
	/* Retention of a space: the RULEs as they are; a new set of rules and
	 * schedule; a run, dry by BERTH_CALL_DRY_RUN; RUNs; a run's kept and
	 * removed tags as TASKs. */
	int (*retention_get)(void *self, const struct berth_call *call, const char *space,
			     struct berth_sink *sink, struct berth_error *err);
	int (*retention_set)(void *self, const struct berth_call *call, const char *space,
			     const char *rules_json, struct berth_error *err);
	int (*retention_run)(void *self, const struct berth_call *call, const char *space,
			     struct berth_sink *sink, struct berth_error *err);
	int (*retention_runs)(void *self, const struct berth_call *call, const char *space,
			      const char *run_id, struct berth_sink *sink, struct berth_error *err);
	/* House-keeping by name: "read-only" {"on":bool}, "gc" {"schedule":..},
	 * "gc-history", "gc-stop" and "gc-log" {"run":..}, "quota" {"space":..,"bytes":..};
	 * BERTH_E_UNSUPPORTED names the action that this backend lacks. */
	int (*maintain)(void *self, const struct berth_call *call, const char *action,
			const char *arguments_json, struct berth_sink *sink,
			struct berth_error *err);
	/* Where the bytes of a repository are. Touches the network only to get a
	 * credential. *ret is zeroed but for size before the call. */
	int (*oci_endpoint)(void *self, const struct berth_call *call, const char *repository,
			    struct berth_oci_endpoint *ret, struct berth_error *err);
};

/* A copy that the backend does by itself: Harbor's replication, a bucket to a
 * bucket, dump and restore. rule_json is Berth's rule; peer_json describes the
 * other end, with its secrets. */
struct berth_sync_ops {
	uint32_t size;
	uint32_t reserved;
	/* Can the rule be done here without loss? BERTH_E_UNSUPPORTED names what
	 * can't. STEPs say what prepare would make. */
	int (*plan)(void *self, const struct berth_call *call, const char *rule_json,
		    const char *peer_json, struct berth_sink *sink, struct berth_error *err);
	/* Make or update what the rule needs at the backend; idempotent. One
	 * OBJECT whose id finds it again. */
	int (*prepare)(void *self, const struct berth_call *call, const char *rule_json,
		       const char *peer_json, struct berth_sink *sink, struct berth_error *err);
	/* Start; one RUN with its id. */
	int (*run)(void *self, const struct berth_call *call, const char *id,
		   struct berth_sink *sink, struct berth_error *err);
	/* The RUN and its TASKs as they are now. */
	int (*status)(void *self, const struct berth_call *call, const char *run_id,
		      struct berth_sink *sink, struct berth_error *err);
	int (*cancel)(void *self, const struct berth_call *call, const char *run_id,
		      struct berth_error *err);
	/* LOG pieces of one task. */
	int (*log)(void *self, const struct berth_call *call, const char *run_id,
		   const char *task_id, struct berth_sink *sink, struct berth_error *err);
	/* Remove what prepare made, and nothing that others use. */
	int (*remove)(void *self, const struct berth_call *call, const char *id,
		      struct berth_error *err);
};

/* Looking for vulnerabilities. target_json: {"repository","digest"},
 * {"repository"}, {"space"} or {} for all; with "registry" and its credential
 * where the scanner is not the registry itself. */
struct berth_scan_ops {
	uint32_t size;
	uint32_t reserved;
	/* SPACE-less FACTs: scanner, version, database dates, media types; one
	 * OBJECT a scanner that can be chosen. */
	int (*scanners)(void *self, const struct berth_call *call, struct berth_sink *sink,
			struct berth_error *err);
	/* Start, or run to the end where the scanner is a program; one RUN. */
	int (*start)(void *self, const struct berth_call *call, const char *target_json,
		     struct berth_sink *sink, struct berth_error *err);
	/* The RUN as it is: queued, running with a percentage, done, error. Of many
	 * artifacts also a TASK each. */
	int (*status)(void *self, const struct berth_call *call, const char *target_json,
		      struct berth_sink *sink, struct berth_error *err);
	int (*stop)(void *self, const struct berth_call *call, const char *target_json,
		    struct berth_error *err);
	/* Every FINDING, once for each child of an index; FACTs first. */
	int (*report)(void *self, const struct berth_call *call, const char *target_json,
		      struct berth_sink *sink, struct berth_error *err);
	/* LOG pieces of the last scan. */
	int (*log)(void *self, const struct berth_call *call, const char *target_json,
		   struct berth_sink *sink, struct berth_error *err);
	/* Choose scanner or schedule: {"scanner":.., "space":..} or {"cron":..}. */
	int (*configure)(void *self, const struct berth_call *call, const char *settings_json,
			 struct berth_error *err);
	/* Swap in a vulnerability database read from fd (an archive), whole or
	 * not at all; FACTs of the new one. */
	int (*database_update)(void *self, const struct berth_call *call, int32_t fd,
			       const char *digest, struct berth_sink *sink,
			       struct berth_error *err);
};

#ifdef __cplusplus
}
#endif
#endif /* BERTH_OPS_H */
