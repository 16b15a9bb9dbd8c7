/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys: the one source of the parser, of
 * etc/berth.conf and of berth.conf(5). No code here.
 */
#include <string.h>

#include "core/conf/settings.h"

#define AT(member) offsetof(struct settings, member)
#define K 1024ull
#define M (1024 * K)
#define G (1024 * M)
#define HOUR_MS 3600000u
#define DAY_MS (24u * HOUR_MS)

/* Columns: section, key, unit, least, most, default, place, help, type, reloadable. */
#define ROW(s, k, unit, least, most, d, member, help, type, reloadable)                            \
	{                                                                                          \
		s, k, unit, least, most, d, AT(member), help, type, reloadable                     \
	}
#define U32(s, k, unit, least, most, d, member, help)                                              \
	ROW(s, k, unit, least, most, d, member, help, OPTION_U32, true)
#define COUNT(s, k, least, most, d, member, help) U32(s, k, NULL, least, most, d, member, help)
#define MS(s, k, least, most, d, member, help)                                                     \
	U32(s, k, "milliseconds", least, most, d, member, help)
#define SECONDS(s, k, least, most, d, member, help)                                                \
	U32(s, k, "seconds", least, most, d, member, help)
#define BYTES(s, k, least, most, d, member, help) U32(s, k, "bytes", least, most, d, member, help)
#define COUNT_FIXED(s, k, least, most, d, member, help)                                            \
	ROW(s, k, NULL, least, most, d, member, help, OPTION_U32, false)
#define BIG_BYTES(s, k, least, most, d, member, help)                                              \
	ROW(s, k, "bytes", least, most, d, member, help, OPTION_U64, true)
#define GROUP(k, d, member, help)                                                                  \
	ROW("access", k, NULL, 1, SETTINGS_GROUP_ROOM - 1, d, member, help, OPTION_TEXT, true)
#define PATH(s, k, member, help)                                                                   \
	ROW(s, k, NULL, 0, SETTINGS_PATH_ROOM - 1, "\"\"", member, help, OPTION_TEXT, false)
#define CIDRS(s, k, member, help) ROW(s, k, NULL, 0, 256, "[]", member, help, OPTION_CIDRS, true)
#define PRIVATE(s, d, member)                                                                      \
	ROW(s, "private", NULL, 0, 0, d, member, PRIVATE_HELP, OPTION_BOOL, true)
#define PRIVATE_HELP "Whether loopback and private addresses may be reached"
#define ALLOW_HELP "Networks that may be reached although they are loopback or private"
#define DENY_HELP "Networks that may not be reached; this wins over allow"

const struct config_option settings_options[] = {
	{"daemon", "log_level", NULL, 0, 0, "\"info\"", AT(log_level), "The least that is logged",
	 OPTION_LEVEL, true},
	MS("daemon", "stop_grace_ms", 0, 600000, "30000", stop_grace_ms,
	   "What running steps get to end in order when the daemon stops"),

	GROUP("admin_group", "\"berth-admin\"", admin_group, "Members may do everything"),
	GROUP("operator_group", "\"berth-operator\"", operator_group,
	      "Members may copy, refresh and delete images, and see everything"),
	GROUP("viewer_group", "\"berth-viewer\"", viewer_group, "Members may see everything"),
	GROUP("reporter_group", "\"berth-hooks\"", reporter_group,
	      "Members may tell of changes at a registry, and nothing else"),

	BYTES("http", "line_max_bytes", 256, 64 * K, "8192", http.line_max_bytes,
	      "Longest request line"),
	BYTES("http", "headers_max_bytes", 1 * K, 256 * K, "16384", http.headers_max_bytes,
	      "Most bytes in a request's headers"),
	BYTES("http", "body_max_bytes", 1 * K, 64 * M, "1048576", http.body_max_bytes,
	      "Largest request body"),
	BYTES("http", "bulk_body_max_bytes", 1 * K, 64 * M, "3145728", http.bulk_body_max_bytes,
	      "Largest body of a bulk configuration"),
	MS("http", "head_ms", 10, 600000, "10000", http.head_ms,
	   "What a client gets to send a request's head"),
	MS("http", "body_gap_ms", 10, 600000, "30000", http.body_gap_ms,
	   "Longest pause between bytes of a body"),
	MS("http", "exchange_ms", 10, HOUR_MS, "300000", http.exchange_ms,
	   "What a client gets to send a whole body, and to take a whole answer"),
	MS("http", "idle_ms", 10, HOUR_MS, "60000", http.idle_ms,
	   "How long an idle connection is kept"),
	COUNT("http", "connections_max", 1, 8000, "256", http.connections_max,
	      "Connections at once"),
	COUNT("http", "connections_per_user_max", 1, 8000, "32", http.connections_per_user_max,
	      "Connections at once of one user"),
	COUNT("http", "streams_max", 0, 4096, "64", http.streams_max, "Event streams at once"),
	SECONDS("http", "wait_max_s", 1, 600, "60", http.wait_max_s,
		"Longest time that an answer is held for a client that waits"),
	BYTES("http", "reader_max_bytes", 4 * K, 64 * M, "1048576", http.reader_max_bytes,
	      "Unread bytes after which an event stream is cut"),
	MS("http", "keep_alive_ms", 100, 600000, "15000", http.keep_alive_ms,
	   "Between the comments that keep an idle event stream alive"),

	COUNT_FIXED("jobs", "children_max", 1, 1000, "32", jobs.children_max,
		    "Jobs at once, each a process"),
	COUNT_FIXED("jobs", "per_instance_max", 1, 1000, "4", jobs.per_instance_max,
		    "Jobs at once for one integration"),
	COUNT_FIXED("jobs", "queue_max", 1, 1000000, "10000", jobs.queue_max,
		    "Jobs that may wait; more are refused for the moment"),
	BIG_BYTES("jobs", "memory_max_bytes", 0, 1024 * G, "805306368", jobs.memory_max_bytes,
		  "Address space of one job; 0 is no limit"),
	MS("jobs", "grace_ms", 10, 600000, "5000", jobs.grace_ms,
	   "From a job's deadline or cancel to SIGTERM, and from there to SIGKILL"),
	MS("jobs", "trial_ms", 10, 600000, "5000", jobs.trial_ms,
	   "What a plugin gets to be loaded before it is marked bad; at most watchdog_ms"),
	COUNT("jobs", "items_max", 1, 10000000, "1000000", jobs.items_max,
	      "Items that one call of a plugin may give"),
	COUNT("jobs", "progress_per_s", 1, 100, "10", jobs.progress_per_s,
	      "Progress messages a second from one job"),
	MS("jobs", "hello_ms", 10, 600000, "10000", jobs.hello_ms,
	   "What the worker gets to begin a job"),
	MS("jobs", "watchdog_ms", 100, HOUR_MS, "30000", jobs.watchdog_ms,
	   "Silence after which a private daemon replaces its worker"),
	MS("jobs", "restart_ms", 10, 600000, "200", jobs.restart_ms,
	   "First pause before a dead worker is started again, at most restart_max_ms; it doubles"),
	MS("jobs", "restart_max_ms", 10, HOUR_MS, "30000", jobs.restart_max_ms,
	   "Longest pause before a dead worker is started again"),
	MS("jobs", "plugins_wait_ms", 10, 600000, "2000", jobs.plugins_wait_ms,
	   "How long the first callers wait for the worker to say its plugins"),
	MS("jobs", "probe_ms", 10, DAY_MS, "60000", jobs.probe_ms, "Deadline of a proof"),
	MS("jobs", "read_ms", 10, DAY_MS, "120000", jobs.read_ms,
	   "Deadline of reading one list or one artifact"),
	MS("jobs", "refresh_ms", 10, DAY_MS, "1800000", jobs.refresh_ms,
	   "Deadline of reading a whole server's index"),
	MS("jobs", "delete_ms", 10, DAY_MS, "120000", jobs.delete_ms, "Deadline of a deletion"),
	MS("jobs", "copy_ms", 10, 7u * DAY_MS, "86400000", jobs.copy_ms, "Deadline of a copy"),
	MS("jobs", "scan_ms", 10, 7u * DAY_MS, "86400000", jobs.scan_ms,
	   "Deadline of a scan that is followed to its end"),

	MS("net", "connect_ms", 10, 600000, "10000", net.connect_ms,
	   "To connect to a registry, TLS included"),
	MS("net", "answer_ms", 10, HOUR_MS, "60000", net.answer_ms,
	   "One control request from start to end"),
	SECONDS("net", "low_speed_s", 1, 3600, "30", net.low_speed_s,
		"How long a transfer may stay below low_speed_bytes a second"),
	BYTES("net", "low_speed_bytes", 1, 1 * G, "1024", net.low_speed_bytes,
	      "The speed, in a second, that a transfer must keep"),
	MS("net", "retry_after_max_ms", 0, HOUR_MS, "300000", net.retry_after_max_ms,
	   "Longest Retry-After that is obeyed; a longer one counts as this"),
	MS("net", "commit_ms", 10, HOUR_MS, "300000", net.commit_ms,
	   "Longest wait for the answer to an upload; a small one gets answer_ms and 1 s a MiB"),
	COUNT("net", "tries", 1, 20, "3", net.tries,
	      "Tries in all of a request that may be repeated"),
	MS("net", "backoff_ms", 1, 600000, "500", net.backoff_ms,
	   "First pause before a request is repeated; it doubles each time"),
	BYTES("net", "header_max_bytes", 1 * K, 16 * M, "65536", net.header_max_bytes,
	      "Most bytes in the headers of an answer"),
	COUNT("net", "pages_max", 1, 1000000, "1000", net.pages_max,
	      "Pages of one list, of 1000 entries; of smaller ones as many more"),
	COUNT("net", "items_max", 1, 100000000, "1000000", net.items_max, "Entries of one list"),

	SECONDS("integrations", "probe_period_s", 1, 86400, "300", probe_period_s,
		"Between two proofs of an integration that names no period of its own"),
	SECONDS("integrations", "refresh_period_s", 0, 30 * 86400, "3600", refresh_period_s,
		"Between two refreshes of the image index; 0 refreshes only when asked"),

	SECONDS("pull_secrets", "login_ttl_s", 60, 3650u * 86400, "2592000", pull_login_ttl_s,
		"Life of the logins in pull secrets; they are renewed in the last third of it"),
	SECONDS("pull_secrets", "check_period_s", 1, 30 * 86400, "600", pull_check_s,
		"Between two looks at a pull secret that was right"),

	COUNT_FIXED("operations", "keep_days", 1, 3650, "7", operations.keep_days,
		    "Days that an ended operation is kept"),
	COUNT_FIXED("operations", "keep_count", 1, 10000000, "10000", operations.keep_count,
		    "Ended operations that are kept"),
	COUNT_FIXED("operations", "events_keep_count", 16, 10000000, "100000",
		    operations.events_keep_count, "Events that are kept"),
	COUNT_FIXED("operations", "step_tries", 1, 100, "3", operations.step_tries,
		    "Runs of an operation that was interrupted, before it is given up"),

	COUNT("audit", "keep_days", 0, 36500, "400", audit_keep_days,
	      "Days that a row of the audit trail is kept; 0 keeps all"),

	COUNT("copy", "transfers_max", 1, 256, "16", copy_transfers_max,
	      "Blobs in flight of one copy"),
	COUNT("copy", "requests_max", 1, 1024, "32", copy_requests_max,
	      "Most requests in flight at one registry, of all copies together; fewer while it is in trouble"),
	ROW("copy", "limit_bytes_per_s", "bytes a second", 16 * K, 1 * G, "0",
	    copy_limit_bytes_per_s,
	    "Bytes a second that all copies together may read; 0 is no limit", OPTION_U64, true),
	BIG_BYTES(
		"copy", "spool_bytes", 0, 1024 * G, "0", copy_spool_bytes,
		"Bytes of big blobs that the worker's cache folder keeps until they have arrived, "
		"so that a copy cut short reads nothing twice; 0 keeps none"),
	BIG_BYTES("copy", "buffer_bytes", 64 * K, 64 * M, "1048576", copy_buffer_bytes,
		  "Bytes between source and target, of all blobs of one copy together"),

	ROW("hooks", "listen", NULL, 0, SETTINGS_GROUP_ROOM - 1, "\"\"", hooks_listen,
	    "Where notifications are received: ADDRESS:PORT in numbers", OPTION_TEXT, false),
	PATH("hooks", "certificate", hooks_certificate,
	     "PEM file of the certificate that is shown, with those that lead to its authority"),
	PATH("hooks", "key", hooks_key, "PEM file of its key"),
	PATH("hooks", "secrets", hooks_secrets,
	     "Folder with a file for each integration, named as it is: the secret that its "
	     "notifications must carry in their Authorization header, with or without Bearer "
	     "before it; read anew at SIGHUP"),

	CIDRS("networks.platform", "allow", platform.allow, ALLOW_HELP),
	CIDRS("networks.platform", "deny", platform.deny, DENY_HELP),
	PRIVATE("networks.platform", "true", platform.private_ok),
	CIDRS("networks.workspace", "allow", workspace.allow, ALLOW_HELP),
	CIDRS("networks.workspace", "deny", workspace.deny, DENY_HELP),
	PRIVATE("networks.workspace", "false", workspace.private_ok),
	{NULL, NULL, NULL, 0, 0, NULL, 0, NULL, OPTION_U32, false},
};

static const struct {
	const char *section, *help;
} sections[] = {
	{"daemon", "The daemon itself"},
	{"access", "Groups of the system and the roles that they give"},
	{"http", "Caps and time-outs of the control socket"},
	{"jobs", "What the worker's jobs may take"},
	{"net", "Time-outs and caps of requests to registries"},
	{"integrations", "How often servers are looked at"},
	{"pull_secrets", "Pull secrets in the namespaces of workspaces"},
	{"operations", "How long records are kept"},
	{"audit", "The audit trail"},
	{"copy", "Copying of images"},
	{"hooks", "What berthd --hooks receives notifications of registries with; berthd itself "
		  "takes nothing of it"},
	{"networks", "Where integrations may point to"},
	{"networks.platform",
	 "Where integrations of the platform may point to; cloud metadata services and "
	 "link-local addresses are never reached"},
	{"networks.workspace",
	 "Where integrations of a workspace may point to; to its members, what may not be reached "
	 "is told as what nobody answers at"},
};

const char *settings_section_help(const char *section)
{
	for (size_t i = 0; i < ARRAY_COUNT(sections); i++)
		if (!strcmp(sections[i].section, section))
			return sections[i].help;
	return NULL;
}
