/* SPDX-License-Identifier: Apache-2.0 */
/* berthd's whole: what its modules share. Made by daemon_run, lives until the
 * process ends, used from its one thread. A module takes what it needs from
 * here and keeps no copy of settings, which a reload replaces.
 */
#ifndef CORE_DAEMON_DAEMON_H
#define CORE_DAEMON_DAEMON_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/fail.h"
#include "core/conf/settings.h"
#include "core/process/loop.h"

/* Where things are: under /run/berth and /var/lib/berth, or all under the
 * folder of a private daemon. */
struct daemon_paths {
	char cache_dir[PATH_MAX]; /* of the worker; "": none */
	char state_dir[PATH_MAX];
	char control_socket[PATH_MAX]; /* berth.sock */
	char worker_socket[PATH_MAX];  /* worker.sock */
	char store[PATH_MAX];          /* berth.db */
	char key[PATH_MAX];            /* the master key; empty: a systemd credential */
	char plugin_dir[PATH_MAX];
	char config[PATH_MAX]; /* the main file; empty: none, defaults hold */
};

struct store;       /* core/store/store.h */
struct sealer;      /* core/secrets */
struct ops;         /* core/ops/ops.h: operations, scheduler */
struct http_server; /* core/http/server.h */

struct daemon_state {
	struct loop *loop;
	struct settings settings; /* as the configuration says now */
	struct daemon_paths paths;
	bool is_private;          /* --state-dir: the starting user is admin */
	uid_t owner_uid;          /* of a private daemon */
	int64_t started_at;       /* Unix milliseconds */
	int control_fd;           /* the listening control socket; owned here */
	bool is_stopping;         /* new work is refused */
	json_t *plugins;          /* array: what the worker said of each plugin; never NULL */
	bool plugins_known;       /* it has said so at least once */
	bool plugins_awaited;     /* a reload's list is on its way */
	char plugins_failed[256]; /* why the last try to hear of them came to nothing; or empty */
	char degraded[256];       /* why parts are off (no key, ...); empty: all is on */
	struct store *store;
	struct sealer *sealer; /* NULL: no key, sealed parts are off */
	struct ops *ops;
	struct http_server *http;
};

/* Reads the configuration again and swaps it in whole; on error the old one
 * stays. The worker follows; who waits for its plugins holds DAEMON_LISTED while
 * d->plugins_awaited. fixed (or NULL): an array that gets the names, "section.key", of what
 * was changed and counts from the next start on. Called on SIGHUP and by the control API. */
#define DAEMON_LISTED "plugins" /* a topic of answer_hold_topic */
MUST_USE int daemon_reload(struct daemon_state *d, json_t *fixed, struct berth_error *err);

#endif
