/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says, as values. One table (settings_options) is the
 * source of the parser, of etc/berth.conf and of berth.conf(5); a module that
 * needs a key adds a member here and a row there, nothing else.
 */
#ifndef CORE_CONF_SETTINGS_H
#define CORE_CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/fail.h"
#include "core/net/limits.h"

/* A list of texts; owned by the settings. */
struct text_list {
	char **items;
	size_t item_count;
};

/* The control socket's caps (control-api convention 3). */
struct http_limits {
	uint32_t line_max_bytes, headers_max_bytes, body_max_bytes, bulk_body_max_bytes;
	uint32_t head_ms, body_gap_ms, idle_ms; /* to send the head; between body bytes; idle */
	uint32_t exchange_ms; /* to send a whole body, and to take a whole answer */
	uint32_t connections_max, connections_per_user_max, streams_max;
	uint32_t wait_max_s;       /* of Prefer: wait and of long polls */
	uint32_t reader_max_bytes; /* unsent bytes of one event stream */
	uint32_t keep_alive_ms;    /* between comments on an idle stream */
};

/* What a job may take. Enforced by the worker. */
struct job_limits {
	uint32_t children_max;     /* jobs at once in the worker */
	uint32_t per_instance_max; /* of them for one integration; the scheduler's rule */
	uint32_t queue_max;        /* jobs waiting in berthd */
	uint64_t memory_max_bytes; /* of address space a job; 0: no limit */
	uint32_t grace_ms;         /* from the deadline or a cancel to SIGTERM, and on to SIGKILL */
	uint32_t trial_ms;         /* to load one plugin in the trial */
	uint32_t items_max;        /* one call may give */
	uint32_t progress_per_s;   /* frames a second */
	uint32_t hello_ms;         /* for the worker's first frame */
	uint32_t restart_ms, restart_max_ms, watchdog_ms; /* the worker's back-off */
	uint32_t plugins_wait_ms;
	/* Deadlines by kind of job. */
	uint32_t probe_ms, read_ms, refresh_ms, delete_ms, copy_ms, scan_ms;
};

/* Where integrations of one scope may point to. */
struct network_rules {
	struct text_list allow, deny; /* CIDRs */
	bool private_ok;              /* loopback and private addresses too */
};

struct operation_limits {
	uint32_t keep_days, keep_count;
	uint32_t events_keep_count;
	uint32_t step_tries; /* of an operation after interruptions */
};

#define SETTINGS_GROUP_ROOM 64
#define SETTINGS_PATH_ROOM 256
struct settings {
	int32_t log_level; /* LOG_LEVEL_* */
	uint32_t stop_grace_ms;
	char admin_group[SETTINGS_GROUP_ROOM], operator_group[SETTINGS_GROUP_ROOM];
	char viewer_group[SETTINGS_GROUP_ROOM], reporter_group[SETTINGS_GROUP_ROOM];
	uint32_t probe_period_s;   /* between proofs of an integration */
	uint32_t refresh_period_s; /* between refreshes of the image index; 0: by hand */
	uint32_t pull_login_ttl_s; /* life of a login in pull secrets */
	uint32_t pull_check_s;     /* between looks at a pull secret that is right */
	struct http_limits http;
	struct net_limits net;
	struct job_limits jobs;
	struct operation_limits operations;
	uint32_t audit_keep_days; /* 0: for ever */
	/* of `berthd --hooks`; "": not given */
	char hooks_listen[SETTINGS_GROUP_ROOM], hooks_certificate[SETTINGS_PATH_ROOM];
	char hooks_key[SETTINGS_PATH_ROOM], hooks_secrets[SETTINGS_PATH_ROOM];
	struct network_rules platform, workspace;
	uint32_t copy_transfers_max;     /* blobs in flight of one copy */
	uint32_t copy_requests_max;      /* requests in flight at one registry */
	uint64_t copy_limit_bytes_per_s; /* read by all copies together; 0: no limit */
	uint64_t copy_spool_bytes;       /* of big blobs kept until they arrived; 0: none */
	uint64_t copy_buffer_bytes;      /* between source and target, of all blobs together */
};

enum config_type { OPTION_U32, OPTION_U64, OPTION_BOOL, OPTION_TEXT, OPTION_LEVEL, OPTION_CIDRS };

/* One key. Numbers are whole; the unit is the end of the key's name. */
struct config_option {
	const char *section, *key; /* "networks.platform", "allow" */
	const char *unit;          /* "milliseconds", "bytes", ...; NULL: none */
	uint64_t min, max;
	const char *deflt; /* as written in the file */
	size_t offset;     /* in struct settings */
	const char *help;  /* one sentence, no period */
	enum config_type type;
	bool is_reloadable;
};
extern const struct config_option settings_options[]; /* ends with a NULL section */
/* A section's own sentence, for the file and the manual; NULL: no such section. */
const char *settings_section_help(const char *section);

/* Every key at its default. Can only fail for want of memory. */
MUST_USE int settings_init(struct settings *s, struct berth_error *err);
void settings_done(struct settings *s);

/* Reads path (NULL: only defaults) and the *.conf files of path + ".d" in name
 * order. A file must be regular, at most 1 MiB, owned by root or by our own
 * user, and not writable by group or others. Errors: BERTH_E_INVALID
 * "FILE:LINE: expected ..."; s is left alone then. */
MUST_USE int settings_load(const char *path, struct settings *s, struct berth_error *err);
/* Keys that only make sense together, once all files are read: a time that must not be longer
 * than another. BERTH_E_INVALID names both; name is the main file, for the message. */
MUST_USE int settings_check(const char *name, struct settings *s, struct berth_error *err);
/* One text as if it were a file of that name, over what s has: for tests and fuzzing. */
MUST_USE int settings_parse(const char *name, const char *bytes, size_t byte_count,
			    struct settings *s, struct berth_error *err);

#endif
