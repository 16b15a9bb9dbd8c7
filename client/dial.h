/* SPDX-License-Identifier: Apache-2.0 */
/* Where the daemon is and how it is reached: a socket path, or ssh://host,
 * chosen by --socket, BERTH_SOCKET, --context, BERTH_CONTEXT, the user's file,
 * and last the usual path.
 */
#ifndef CLIENT_DIAL_H
#define CLIENT_DIAL_H

#include "client/cli.h"

#define DIAL_DEFAULT_SOCKET "/run/berth/berth.sock"

enum { CONTEXT_MAX = 64, CONTEXT_FILE_MAX = 64 * 1024 };
struct contexts {
	char *names[CONTEXT_MAX], *targets[CONTEXT_MAX];
	size_t count;
	char *current; /* NULL: none chosen */
};

/* A file that is not there is no contexts. BERTH_E_INVALID has file and line. */
MUST_USE int contexts_load(struct contexts *to, struct berth_error *err);
/* Writes the file anew, mode 0600, whole or not at all. */
MUST_USE int contexts_store(const struct contexts *from, struct berth_error *err);
void contexts_done(struct contexts *c);
size_t contexts_find(const struct contexts *c, const char *name); /* count: absent */
/* Is it an absolute path, unix://PATH or ssh://[USER@]HOST[:PORT][/PATH]? */
bool context_target_ok(const char *target);

/* Does berthd run on another machine, as far as the target says? */
bool dial_is_far(struct cli *c);
/* Connects to c->target: sets c->fd and c->bridge_pid. */
MUST_USE int dial_connect(struct cli *c, struct berth_error *err);
/* Joins stdin and stdout to the socket: the far end of ssh://. Exit code. */
int dial_bridge(struct cli *c);

#endif
