/* SPDX-License-Identifier: Apache-2.0 */
/* Following an operation to its end: waiting, progress, Ctrl-C, the outcome.
 */
#ifndef CLIENT_FOLLOW_H
#define CLIENT_FOLLOW_H

#include "client/cli.h"

/* Prints what a finished operation brought, for a person. */
typedef void follow_result(struct cli *c, const json_t *operation);

/* Follows the operation (its object, as a 202 carries it) as the flags say, and
 * prints its outcome. result NULL: the members of its result. Exit code. */
int follow_operation(struct cli *c, const json_t *operation, follow_result *result);
/* Prints the outcome of one that has ended. Exit code. */
int follow_outcome(struct cli *c, const json_t *operation, follow_result *result);
/* Follows *operation to its end and leaves that in it; only a failure is said.
 * EXIT_OK: it succeeded. */
int follow_quietly(struct cli *c, json_t **operation);
bool operation_has_ended(const json_t *operation);

/* progress.c: one line on stderr that is painted anew, or lines. */
enum progress_mode { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON };
struct progress {
	enum progress_mode mode;
	int last_step; /* of 10 %, for plain; -1: none yet */
	bool is_painted;
	const char *last_stage; /* of this run's strings only while painted */
	int64_t last_done;
};
void progress_init(struct progress *p, const struct cli *c);
void progress_show(struct progress *p, struct cli *c, const json_t *operation);
/* Takes the bar away. */
void progress_end(struct progress *p, struct cli *c);

#endif
