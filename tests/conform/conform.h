/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance kit: checks one plugin the way the worker would use it, with
 * a server of its own that misbehaves on request. TAP on stdout. Installed for
 * authors of plugins elsewhere.
 */
#ifndef TESTS_CONFORM_H
#define TESTS_CONFORM_H

#include <berth/plugin.h>
#include <stdbool.h>

#include "core/worker/loader.h"

/* TAP. what: the claim; a detail follows a failure. */
void tap_ok(bool is_ok, const char *what, const char *detail);
void tap_skip(const char *what, const char *why);
int tap_end(void); /* prints the plan; the exit status */

/* The scripted server. */
enum upstream_mode {
	UPSTREAM_WELL,
	UPSTREAM_SILENT,
	UPSTREAM_STATUS, /* answers status to everything */
	UPSTREAM_RETRY_AFTER,
	UPSTREAM_CUT,
	UPSTREAM_HUGE,
	UPSTREAM_HTML,
	UPSTREAM_DEEP,
	UPSTREAM_TYPE,
	UPSTREAM_GARBAGE,
	UPSTREAM_ENDLESS /* as WELL, and each answer says that there is a next page */
};
struct upstream {
	int port;
	pid_t pid;
	struct upstream_state *state; /* shared with its process */
};
bool upstream_start(struct upstream *u, const char *script);
void upstream_set(struct upstream *u, enum upstream_mode mode, int status);
/* The script's lines "OPTION KEY=VALUE", at most room of them; they live as long as the kit. */
void script_options(const char **to, size_t room);
unsigned upstream_connections(const struct upstream *u); /* since upstream_set */
void upstream_stop(struct upstream *u);

/* What the host gives and sees in one call; made anew in each child. */
struct host_setup {
	const struct plugin *plugin;
	const char *address;       /* of the option "address" */
	const char *leave_out;     /* a required option to have no value, or NULL */
	bool refuse_addresses;     /* host->allow_address says no */
	uint32_t deadline_ms;      /* 0: 20 000 */
	uint32_t cancel_after_ms;  /* 0: never */
	uint32_t stop_after_items; /* the sink says stop at that item; 0: never */
};
/* "key=value" of the command line, then of the script; wins over what the kit makes up. */
extern const char *const *given_options;
#define CANARY "conform-canary-81b0c6f2"

/* What one call did, told by the child that made it. */
struct outcome {
	int32_t code;
	uint32_t retry_ms, item_count, items_after_stop;
	uint32_t kinds; /* of the items: 1 << BERTH_ITEM_* */
	bool ran, has_crashed, was_slow, leaked_secret, bad_text, bad_item, changed_process;
	int signo;
	char message[236], cause[512], reason[160];
};
extern const struct berth_host fake_host;
/* Opens an instance in a child, calls the slot of that name of the integration
 * table (NULL: only open), closes. */
void call_in_child(const struct host_setup *setup, const char *slot, struct outcome *ret);
/* The slots that the kit knows how to call; ends with NULL. */
extern const char *const callable_slots[];
bool has_slot(const struct plugin *p, const char *slot);
/* Opens and closes in this process; used by the leak test. */
int open_once(const struct host_setup *setup, struct berth_error *err);

/* The groups of tests. */
void check_file(const char *path, const char *name);
void check_life(const struct plugin *p, struct upstream *u);
void check_faults(const struct plugin *p, struct upstream *u);
void check_works(const struct plugin *p, struct upstream *u, bool has_script);
/* Adds what a call came back with to the detail of a claim. */
void explain(const struct outcome *o, const char *slot, char *to, size_t room);

#endif
