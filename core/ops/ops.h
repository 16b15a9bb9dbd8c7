/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: work that takes a job, from its acceptance to its end. Owns
 * their rows, their locks, the jobs that run them, and the clock that starts
 * periodic work. An accepted operation is done, resumed or reported
 * interrupted, whatever is killed. berthd's one thread.
 */
#ifndef CORE_OPS_OPS_H
#define CORE_OPS_OPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/clock.h"
#include "core/base/fail.h"
#include "core/worker/job.h"

struct budget;
struct events;
struct loop;
struct ops;
struct sealer;
struct store;

enum op_state {
	OP_PENDING,
	OP_RUNNING,
	OP_CANCELLING,
	OP_SUCCEEDED,
	OP_FAILED,
	OP_CANCELLED,
	OP_INTERRUPTED
};
const char *op_state_name(enum op_state state);

/* One operation that has not ended; read only for its type's functions. */
struct operation {
	struct ops *ops;
	const struct op_type *type;
	char id[UUID_ROOM];
	enum op_state state;
	json_t *arguments; /* as submitted */
	json_t *resources; /* array of paths */
	json_t *locks;     /* array of names */
	json_t *progress;  /* object or NULL */
	char *integration; /* name, or "" */
	char *user_name, *request_id;
	uid_t uid;
	json_t *kept;      /* what a proof's job wants kept, or NULL: on_result may store it */
	uint32_t attempts; /* 1 in the first run */
	int64_t created_ms, started_ms, updated_ms;
	void *own; /* the type's; released by type->release */
};

/* A kind of operation. Supplied by core/api as an array that ends with a NULL
 * kind. The functions run in berthd's thread and must not block. */
struct op_type {
	const char *kind; /* "probe", "refresh", "copy" */
	/* May a lost run begin again? Only where that repeats nothing that counts:
	 * reads, and copies that go on from their outcomes. Else: interrupted. */
	bool is_resumable;
	/* So frequent by the clock that a good end is no audit row and no news. */
	bool is_routine;
	/* A proof: its instance is not stored as it was used, and may never be. What its
	 * job wants kept waits in op->kept. */
	bool is_proof;
	/* Done with its integration alone, it says nothing of others: where that is a
	 * workspace's own, its admins see the audit row of the end. */
	bool is_of_one;
	uint32_t concurrency; /* running at once of this kind; 0: no own limit */
	/* The call frame (see core/worker/job.h) without "t" and "job"; with
	 * "deadline_ms" where the default is not right, and with "budget": the rates that
	 * its bytes count in (budget_join), where there are any, and "claims": the names of
	 * its targets where it has several. Secrets are read here, at
	 * the last moment. An error fails the operation. */
	int (*build_call)(struct operation *op, json_t **ret_call, struct berth_error *err);
	/* A batch of item frames, in order, inside a transaction that is rolled
	 * back on error (and the operation then fails). NULL: items are dropped. */
	int (*on_items)(struct operation *op, const json_t *items, struct berth_error *err);
	/* The end of the job, once, inside the transaction that ends the operation:
	 * change rows, add events. why->code 0: it went well; value may be NULL.
	 * *ret_result: what the operation shows as its result. An error here turns
	 * success into failure, after a rollback; 0 with err->code set turns it into
	 * failure and keeps what was written and the result (a copy of which some
	 * images failed). NULL: the value is the result. */
	int (*on_result)(struct operation *op, const json_t *value, const struct berth_error *why,
			 json_t **ret_result, struct berth_error *err);
	void (*release)(struct operation *op); /* or NULL */
};

/* How jobs are run: the worker's socket, or a fake one in tests. */
struct op_runner {
	int (*start)(void *user, const json_t *call, const struct job_events *events,
		     void *events_user, struct job_client **ret, struct berth_error *err);
	void (*cancel)(void *user, struct job_client *c);
	/* Asked in result: did the connection end without one? */
	bool (*is_lost)(void *user, const struct job_client *c);
	void (*free)(void *user, struct job_client *c);
	void *user;
	/* Gives it a frame; NULL: jobs take no part in shared rates, nor claim blobs. */
	void (*send)(void *user, struct job_client *c, json_t *frame);
};

/* Zero means the default that is written here. Pointers are borrowed for the
 * life of ops. */
struct ops_settings {
	struct store *store;
	const struct sealer *sealer; /* NULL: kept plugin state is dropped */
	struct loop *loop;           /* NULL in tests: ops_turn is called by hand */
	const char *worker_socket;
	const struct op_type *types;
	const struct op_runner *runner; /* NULL: worker_socket through loop */
	uint32_t running_max;           /* 32 jobs at once */
	uint32_t integration_max;       /* 8 jobs at once of one integration */
	uint32_t open_max;              /* 1 000 not ended; more: BERTH_E_THROTTLED */
	uint32_t attempts_max;          /* 3 runs in all of a resumable one */
	uint32_t deadline_s;            /* 3 600 of one run, where its call has none */
	uint32_t grace_s;               /* 10: past its deadline or a cancel, then hung up on */
	uint32_t retry_ms;              /* 500: first pause when the worker can't be reached */
	uint32_t worker_wait_s;         /* 60: unreachable for so long: failed */
	uint32_t probe_ms;              /* 5 000: between tries of a store that takes no writes */
	uint32_t keep_s;                /* 604 800: ended operations */
	uint32_t keep_count;            /* 10 000 */
	uint32_t event_ring;            /* 10 000 events stored */
};

/* Reads what was left open: running and cancelling ones become interrupted,
 * and pending again where their type is resumable. Nothing runs before the
 * first ops_turn. */
MUST_USE int ops_new(const struct ops_settings *settings, struct ops **ret,
		     struct berth_error *err);
/* Hangs up on every job; their operations stay "running" in the store and are
 * picked up at the next start. Accepts NULL. */
void ops_free(struct ops *o);
SCOPE_TYPE(ops, struct ops, ops_free)
/* Starts what can be started, writes progress, enforces deadlines, sweeps.
 * Returns the milliseconds until it wants to be called again. With a loop, ops
 * calls it by itself. */
uint32_t ops_turn(struct ops *o);
/* Refuses new operations (BERTH_E_UNAVAILABLE) and starts no more. */
void ops_stop(struct ops *o);
/* How many run now. */
uint32_t ops_running(const struct ops *o);

struct store *ops_store(struct ops *o);
struct events *ops_events(struct ops *o); /* core/ops/events.h */
struct budget *ops_budget(struct ops *o); /* core/ops/budget.h */

/* What is asked for. Borrowed for the call. One of the three documents that is NULL was
 * not made for want of memory: BERTH_E_NO_MEMORY. */
struct op_request {
	const char *kind;
	const json_t *arguments; /* object, never a secret */
	const json_t *resources; /* array of paths */
	/* Array of names held until the end. One that another operation holds: conflict. A
	 * name that begins with "~" is waited for instead. */
	const json_t *locks;
	const char *integration; /* for the limit, or NULL */
	const char *user_name, *request_id;
	uid_t uid;
	/* The conflict is with one of the same kind and resources: join it. */
	bool joins;
};
struct op_submitted {
	char id[UUID_ROOM]; /* of the new one, of the one joined, or of the other in the way */
	bool joined;
};
/* Stores a pending operation, within the caller's transaction where there is
 * one; it starts after that is committed. BERTH_E_CONFLICT: ret->id has the
 * other; BERTH_E_THROTTLED: too many open; BERTH_E_UNAVAILABLE: stopping. */
MUST_USE int ops_submit(struct ops *o, const struct op_request *request, struct op_submitted *ret,
			struct berth_error *err);
/* Asks for the end; nothing where it has ended. BERTH_E_NOT_FOUND. */
MUST_USE int ops_cancel(struct ops *o, const char *id, struct berth_error *err);

/* The open operation of that id, or NULL. */
const struct operation *ops_find(struct ops *o, const char *id);
/* The document of control-api 23 as it is now, open or ended. json_decref. */
MUST_USE int ops_document(struct ops *o, const char *id, bool may_cancel, json_t **ret,
			  struct berth_error *err);
/* The same of a row (lists); the newer progress of an open one is merged in. */
struct operation_row;
json_t *ops_row_document(struct ops *o, const struct operation_row *row, bool may_cancel) MUST_USE;

/* Watching one: changed is called after each new log line, state or progress;
 * with has_ended once, last, after which the watch is gone. *ret NULL: it has
 * ended already. */
struct op_watch;
typedef void op_changed(void *user, const char *id, bool has_ended);
MUST_USE int ops_watch(struct ops *o, const char *id, op_changed *changed, void *user,
		       struct op_watch **ret, struct berth_error *err);
void ops_unwatch(struct op_watch *w); /* not after has_ended; accepts NULL */

/* From on_result, for an operation that fails: at which of its call's integrations. Another
 * name blames none. */
void op_blame(struct operation *op, const char *integration);
/* Adds a line to the operation's log (core/api, while it is open). */
void op_log(struct operation *op, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
