/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that misbehave: each way must end in a documented code, for every
 * slot that talks to the server at all.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/fail.h"
#include "tests/conform/conform.h"

#define CODES_MAX 4

/* One way to misbehave and the codes that are right for it. */
struct fault {
	const char *claim;
	enum upstream_mode mode;
	int status;
	uint32_t deadline_ms, cancel_after_ms;
	bool wants_retry;
	int codes[CODES_MAX]; /* ends with 0 where shorter */
	/* A slot that may go well all the same: it need not read what is wrong, or
	 * may leave out a fact that is refused. */
	const char *may_pass;
};

static const struct fault faults[] = {
	{"a silent server meets the call's deadline",
	 UPSTREAM_SILENT,
	 0,
	 700,
	 0,
	 false,
	 {BERTH_E_TIMEOUT, BERTH_E_CANCELLED},
	 NULL},
	{"a cancel is seen while the server is silent",
	 UPSTREAM_SILENT,
	 0,
	 0,
	 300,
	 false,
	 {BERTH_E_CANCELLED},
	 NULL},
	{"401 is auth", UPSTREAM_STATUS, 401, 0, 0, false, {BERTH_E_AUTH}, NULL},
	{"403 is denied", UPSTREAM_STATUS, 403, 0, 0, false, {BERTH_E_DENIED}, "overview"},
	{"404 is not-found, protocol or unsupported",
	 UPSTREAM_STATUS,
	 404,
	 0,
	 0,
	 false,
	 {BERTH_E_NOT_FOUND, BERTH_E_PROTOCOL, BERTH_E_UNSUPPORTED},
	 "overview"},
	{"409 is conflict or protocol",
	 UPSTREAM_STATUS,
	 409,
	 0,
	 0,
	 false,
	 {BERTH_E_CONFLICT, BERTH_E_PROTOCOL},
	 NULL},
	{"429 is throttled and says when to come again",
	 UPSTREAM_RETRY_AFTER,
	 0,
	 0,
	 0,
	 true,
	 {BERTH_E_THROTTLED},
	 NULL},
	{"500 is unavailable", UPSTREAM_STATUS, 500, 0, 0, false, {BERTH_E_UNAVAILABLE}, NULL},
	{"a body that is cut off is unavailable or protocol",
	 UPSTREAM_CUT,
	 0,
	 0,
	 0,
	 false,
	 {BERTH_E_UNAVAILABLE, BERTH_E_PROTOCOL},
	 NULL},
	{"a body of 100 MB is over a limit",
	 UPSTREAM_HUGE,
	 0,
	 0,
	 0,
	 false,
	 {BERTH_E_LIMIT, BERTH_E_PROTOCOL},
	 NULL},
	{"an HTML page in place of data is protocol",
	 UPSTREAM_HTML,
	 0,
	 0,
	 0,
	 false,
	 {BERTH_E_PROTOCOL},
	 NULL},
	{"a wrong content type is protocol",
	 UPSTREAM_TYPE,
	 0,
	 0,
	 0,
	 false,
	 {BERTH_E_PROTOCOL},
	 NULL},
	{"JSON nested too deep is over a limit or protocol",
	 UPSTREAM_DEEP,
	 0,
	 0,
	 0,
	 false,
	 {BERTH_E_LIMIT, BERTH_E_PROTOCOL},
	 "probe"},
	{"what is no HTTP is protocol or unavailable",
	 UPSTREAM_GARBAGE,
	 0,
	 0,
	 0,
	 false,
	 {BERTH_E_PROTOCOL, BERTH_E_UNAVAILABLE},
	 NULL},
};

/* What is true of every call, whatever the server did; gathered over all. */
static struct {
	char crash[200], slow[200], secret[200], text[200], item[200], process[200];
} seen;

static void note(char *at, bool is_true, const char *slot, const char *claim)
{
	if (is_true && !*at)
		snprintf(at, 200, "in %s (%s)", slot, claim);
}

static void gather(const struct outcome *o, const char *slot, const char *claim)
{
	note(seen.crash, o->has_crashed, slot, claim);
	note(seen.slow, o->was_slow, slot, claim);
	note(seen.secret, o->leaked_secret, slot, claim);
	note(seen.text, o->bad_text, slot, claim);
	note(seen.item, o->bad_item, slot, o->reason);
	note(seen.process, o->changed_process, slot, claim);
}

static bool is_right(const struct fault *f, const char *slot, const struct outcome *o)
{
	bool found = !o->code && f->may_pass && !strcmp(f->may_pass, slot);
	for (size_t i = 0; i < CODES_MAX && f->codes[i]; i++)
		found = found || f->codes[i] == o->code;
	return o->ran && found && (!f->wants_retry || o->retry_ms);
}

void explain(const struct outcome *o, const char *slot, char *to, size_t room)
{
	size_t at = strlen(to);
	if (o->ran)
		snprintf(to + at, room - at, "%s: %s, retry_ms %u, \"%.80s: %.80s\"; ", slot,
			 berth_code_name(o->code), o->retry_ms, o->message, o->cause);
	else
		snprintf(to + at, room - at, "%s: it did not come back; ", slot);
}

/* A slot that asked nobody has nothing to misunderstand: it is left out. */
static void check_fault(const struct plugin *p, struct upstream *u, const struct fault *f)
{
	char address[64], detail[1200] = "";
	const struct host_setup setup = {
		.plugin = p,
		.address = address,
		.deadline_ms = f->deadline_ms,
		.cancel_after_ms = f->cancel_after_ms,
	};
	unsigned asked = 0;
	snprintf(address, sizeof address, "http://127.0.0.1:%d", u->port);
	for (const char *const *slot = callable_slots; *slot; slot++) {
		struct outcome o;
		if (!has_slot(p, *slot))
			continue;
		upstream_set(u, f->mode, f->status);
		call_in_child(&setup, *slot, &o);
		gather(&o, *slot, f->claim);
		if (o.ran && !upstream_connections(u))
			continue;
		asked++;
		if (!is_right(f, *slot, &o))
			explain(&o, *slot, detail, sizeof detail);
	}
	if (asked)
		tap_ok(!detail[0], f->claim, detail);
	else
		tap_skip(f->claim, "no slot that the kit knows asked the server");
}

/* A port that was bound a moment ago and is closed now. */
static int closed_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t byte_count = sizeof address;
	AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    getsockname(fd, (struct sockaddr *)&address, &byte_count))
		return 1;
	return ntohs(address.sin_port);
}

static bool talks(const struct plugin *p, struct upstream *u, const char *slot)
{
	char address[64];
	const struct host_setup setup = {.plugin = p, .address = address};
	struct outcome o;
	if (!has_slot(p, slot))
		return false;
	snprintf(address, sizeof address, "http://127.0.0.1:%d", u->port);
	upstream_set(u, UPSTREAM_WELL, 0);
	call_in_child(&setup, slot, &o);
	gather(&o, slot, "a server that behaves");
	return upstream_connections(u) > 0;
}

static void check_closed(const struct plugin *p, struct upstream *u)
{
	static const char claim[] = "a closed port is unavailable and says when to come again";
	char address[64], detail[1200] = "";
	const struct host_setup setup = {.plugin = p, .address = address};
	const struct fault f = {.wants_retry = true, .codes = {BERTH_E_UNAVAILABLE}};
	unsigned asked = 0;
	snprintf(address, sizeof address, "http://127.0.0.1:%d", closed_port());
	for (const char *const *slot = callable_slots; *slot; slot++) {
		struct outcome o;
		if (!talks(p, u, *slot))
			continue;
		asked++;
		call_in_child(&setup, *slot, &o);
		gather(&o, *slot, claim);
		if (!is_right(&f, *slot, &o))
			explain(&o, *slot, detail, sizeof detail);
	}
	if (asked)
		tap_ok(!detail[0], claim, detail);
	else
		tap_skip(claim, "no slot that the kit knows asked the server");
}

static void check_refused(const struct plugin *p, struct upstream *u)
{
	static const char claim[] = "an address that the host refuses is not connected to";
	char address[64], detail[1200] = "";
	const struct host_setup setup = {.plugin = p, .address = address, .refuse_addresses = true};
	unsigned asked = 0;
	snprintf(address, sizeof address, "http://127.0.0.1:%d", u->port);
	for (const char *const *slot = callable_slots; *slot; slot++) {
		struct outcome o;
		if (!talks(p, u, *slot))
			continue;
		asked++;
		upstream_set(u, UPSTREAM_WELL, 0);
		call_in_child(&setup, *slot, &o);
		gather(&o, *slot, claim);
		if (!o.ran || o.code != BERTH_E_ADDRESS || upstream_connections(u))
			explain(&o, *slot, detail, sizeof detail);
	}
	if (asked)
		tap_ok(!detail[0], claim, detail);
	else
		tap_skip(claim, "no slot that the kit knows asked the server");
}

static void check_stop(const struct plugin *p, struct upstream *u)
{
	static const char claim[] = "a sink that says stop gets no further item";
	char address[64], detail[1200] = "";
	const struct host_setup setup = {.plugin = p, .address = address, .stop_after_items = 1};
	unsigned gave = 0;
	snprintf(address, sizeof address, "http://127.0.0.1:%d", u->port);
	upstream_set(u, UPSTREAM_WELL, 0);
	for (const char *const *slot = callable_slots; *slot; slot++) {
		struct outcome o;
		if (!has_slot(p, *slot))
			continue;
		call_in_child(&setup, *slot, &o);
		gather(&o, *slot, claim);
		gave += o.item_count > 0;
		if (o.items_after_stop)
			explain(&o, *slot, detail, sizeof detail);
	}
	if (gave)
		tap_ok(!detail[0], claim, detail);
	else
		tap_skip(claim, "no slot that the kit knows gave an item; try --script");
}

void check_faults(const struct plugin *p, struct upstream *u)
{
	check_closed(p, u);
	for (size_t i = 0; i < ARRAY_COUNT(faults); i++)
		check_fault(p, u, &faults[i]);
	check_refused(p, u);
	check_stop(p, u);
	tap_ok(!seen.crash[0], "no call crashed", seen.crash);
	tap_ok(!seen.slow[0], "every call came back", seen.slow);
	tap_ok(!seen.text[0], "errors have a message in UTF-8, on one line", seen.text);
	tap_ok(!seen.item[0], "every item was well-formed", seen.item);
	tap_ok(!seen.secret[0], "no secret was logged, kept or told in an error", seen.secret);
	tap_ok(!seen.process[0], "no call changed the process", seen.process);
}
