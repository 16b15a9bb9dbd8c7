/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of problems. Symbols are stable: clients compare them. Sorted by
 * status, then symbol. A symbol NOUN-KIND ("integration-not-found") needs no row of its own:
 * it is that kind, of that noun.
 */
#include "core/http/problem.h"

#include <berth/error.h>
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"

#define HINT_ROOM 80

const struct problem_kind problem_kinds[] = {
	{"bad-request", 400, HINT_CALLER, "Bad request",
	 "A parameter or a combination of them has no meaning here; the detail says which.",
	 "man berth-api"},
	{"body-missing", 400, HINT_CALLER, "Missing body",
	 "This route takes a JSON document and none was sent.", "man berth-api"},
	{"body-unexpected", 400, HINT_CALLER, "Unexpected body",
	 "This route takes everything from the path and the query.", "man berth-api"},
	{"filter-invalid", 400, HINT_PLAIN, "Invalid filter",
	 "filter= takes field op value, with eq, ne, gt, ge, lt, le, like and in, joined by and, "
	 "or, not and parentheses, texts quoted; at most 1 KiB, 8 levels and 32 terms. Unknown "
	 "fields are refused; the detail lists those that there are.",
	 "berthctl help topic output"},
	{"header-invalid", 400, HINT_CALLER, "Invalid header",
	 "A header that this server acts on has a value of another form than documented.",
	 "man berth-api"},
	{"invalid-request", 400, HINT_CALLER, "Invalid request",
	 "Something in the request contradicts itself or has no meaning here; the detail says what.",
	 "man berth-api"},
	{"json-invalid", 400, HINT_CALLER, "Invalid JSON",
	 "The detail names line and column. Duplicate keys, lone surrogates, invalid UTF-8 and "
	 "numbers out of range are refused like any other syntax error.",
	 "man berth-api"},
	{"json-limit", 400, HINT_CALLER, "JSON over a limit",
	 "A body may be 64 levels deep and hold 100 000 values.", "man berth-api"},
	{"malformed-request", 400, HINT_CALLER, "Malformed request",
	 "A method that this server does not know, a repeated header that may stand once, a "
	 "length given twice, or control characters. The connection is closed.",
	 "man berth-api"},
	{"parameter-invalid", 400, HINT_CALLER, "Invalid parameter",
	 "errors[] names the path or query parameter and what it may be.", "man berth-api"},
	{"parameter-unknown", 400, HINT_CALLER, "Unknown parameter",
	 "A query parameter is spelled wrongly, given twice, or newer than this server.",
	 "man berth-api"},
	{"path-invalid", 400, HINT_CALLER, "Invalid path",
	 "A segment has a bad percent escape, a control character, invalid UTF-8, is . or .., or "
	 "holds %2F where no image reference is expected.",
	 "man berth-api"},
	{"plan-outdated", 409, HINT_PLAIN, "Plan outdated", "Plan again, and store that.",
	 "berthctl sync plan NAME"},
	{"reference-invalid", 400, HINT_PLAIN, "Invalid image reference",
	 "A reference is REPOSITORY[:TAG][@DIGEST], percent-encoded as one path segment.",
	 "berthctl help topic references"},
	{"denied", 403, HINT_PLAIN, "Not allowed",
	 "The role is high enough, but the thing belongs to somebody else or is protected.",
	 "berthctl role list"},
	{"forbidden", 403, HINT_PLAIN, "Role too low",
	 "The caller is known by its uid and groups. Group berth-viewer sees everything, "
	 "berth-operator also copies, refreshes and deletes images, berth-admin does all; members "
	 "of workspaces see what is theirs. A new group counts after the next login.",
	 "berthctl role list"},
	{"operation-not-yours", 403, HINT_PLAIN, "Somebody else's operation",
	 "Operators may cancel their own operations; admins may cancel all.",
	 "berthctl operation list"},
	{"not-found", 404, HINT_CALLER, "Not found",
	 "The path names nothing that exists, or nothing that the caller may see.",
	 "man berth-api"},
	{"method-not-allowed", 405, HINT_CALLER, "Method not allowed",
	 "The Allow header lists those that it takes.", "man berth-api"},
	{"not-acceptable", 406, HINT_CALLER, "No acceptable format",
	 "The Accept header excludes every media type that this route can produce; the detail "
	 "lists them.",
	 "man berth-api"},
	{"request-timeout", 408, HINT_CALLER, "Request too slow",
	 "A head must arrive within 10 s, and a body may pause 30 s, unless configured "
	 "otherwise. The connection is closed.",
	 "man berth-api"},
	{"busy", 409, HINT_PLAIN, "Busy with another operation",
	 "The operation member names it; wait for its end or cancel it.",
	 "berthctl operation list"},
	{"cancelled", 409, HINT_PLAIN, "Cancelled", "Someone asked for its end before it was done.",
	 "berthctl operation list"},
	{"conflict", 409, HINT_PLAIN, "Conflict",
	 "The thing exists already, is in use, or is being changed by another operation, which "
	 "the operation member names.",
	 "berthctl operation list"},
	{"copy-onto-itself", 409, HINT_PLAIN, "Source and target are the same",
	 "Name another target.", "berthctl help topic references"},
	{"exists", 409, HINT_PLAIN, "Name already taken",
	 "The name is taken. Choose another, or change what is there.",
	 "berthctl help topic apply"},
	{"in-use", 409, HINT_PLAIN, "Still in use",
	 "The detail names what does; that has to go first.", "berthctl sync list"},
	{"integration-disabled", 409, HINT_INTEGRATION, "Integration disabled",
	 "It is kept, but never contacted, until it is enabled.",
	 "berthctl integration edit NAME --enable"},
	{"integration-unhealthy", 409, HINT_INTEGRATION, "Integration unhealthy",
	 "Its last probe failed; the cause has what it found. Probe it again once that is mended.",
	 "berthctl integration probe NAME"},
	{"key-in-use", 409, HINT_PLAIN, "Idempotency-Key in use",
	 "Wait for its answer, then repeat: the first answer comes again.",
	 "berthctl operation list"},
	{"role-built-in", 409, HINT_PLAIN, "Built-in role",
	 "Make a custom one with the points that are wanted.", "berthctl role create --help"},
	{"run-has-no-failures", 409, HINT_PLAIN, "Nothing to repeat",
	 "Every image of that run was copied.", "berthctl sync run NAME"},
	{"space-absent", 409, HINT_INTEGRATION, "Space not at its server",
	 "Refresh the integration: it may be back; else nothing can be done with it.",
	 "berthctl integration refresh NAME"},
	{"space-fixed", 409, HINT_PLAIN, "Fixed space",
	 "It is the one that every registry has, for what no declared prefix covers.",
	 "berthctl space list"},
	{"sync-disabled", 409, HINT_PLAIN, "Sync switched off", "Enable it, then run it.",
	 "berthctl sync edit NAME --enable"},
	{"sync-onto-itself", 409, HINT_PLAIN, "Source and target are the same",
	 "Name another target, or another prefix below it.", "berthctl sync list"},
	{"sync-ring", 409, HINT_PLAIN, "Ring of syncs",
	 "The detail names the others of the ring; one of them must not write what the next reads.",
	 "berthctl sync list"},
	{"sync-target-taken", 409, HINT_PLAIN, "Target of another sync",
	 "Two rules that write one place would undo each other; the detail names the other.",
	 "berthctl sync list"},
	{"precondition-failed", 412, HINT_CALLER, "Changed meanwhile",
	 "If-Match or If-None-Match does not hold. The etag member has the current ETag: read "
	 "again, look at the difference, and repeat.",
	 "man berth-api"},
	{"body-too-large", 413, HINT_CALLER, "Body too large",
	 "GET /v1 shows the cap; a bulk configuration may be larger.", "man berth-api"},
	{"limit", 413, HINT_PLAIN, "Over a limit", "The detail names the cap.", "man berth.conf"},
	{"media-type-unsupported", 415, HINT_CALLER, "Unsupported media type",
	 "Content-Type must be exactly the one that the route takes, without parameters.",
	 "man berth-api"},
	{"address-refused", 422, HINT_PLAIN, "Address refused",
	 "The network rules of the configuration exclude it for integrations of this scope; "
	 "metadata addresses are always excluded.",
	 "man berth.conf"},
	{"config-invalid", 422, HINT_PLAIN, "Invalid configuration",
	 "The detail has file, line and what was expected; the running configuration stays.",
	 "berthd --check"},
	{"confirmation-missing", 422, HINT_CALLER, "Missing confirmation",
	 "The detail says what must be sent to confirm it.", "man berth-api"},
	{"invalid", 422, HINT_CALLER, "Invalid values",
	 "errors[] has a JSON pointer and a sentence for each finding.", "man berth-api"},
	{"key-reused", 422, HINT_CALLER, "Idempotency-Key used for another body",
	 "Take a new key for a new request.", "man berth-api"},
	{"limit-exceeded", 422, HINT_PLAIN, "Over a limit", "The detail names the cap.",
	 "man berth.conf"},
	{"partly-done", 422, HINT_PLAIN, "Partly done",
	 "The operation's result lists each part with its outcome; a repeat does what is left.",
	 "berthctl operation list"},
	{"unsupported", 422, HINT_PLAIN, "Unsupported by the backend",
	 "The plugin or the registry behind it has no such ability, or it is switched off there.",
	 "berthctl plugin list"},
	{"validation-failed", 422, HINT_CALLER, "Invalid body",
	 "errors[] has a JSON pointer, a code and a sentence for each fault, unknown fields "
	 "included.",
	 "man berth-api"},
	{"precondition-required", 428, HINT_CALLER, "Missing If-Match",
	 "Send If-Match with the ETag that you read, or If-Match: * to say that you mean whatever "
	 "is there.",
	 "man berth-api"},
	{"throttled", 429, HINT_PLAIN, "Too much at once",
	 "The registry, or berthd's own limit of open operations, asks for a pause; try again "
	 "after Retry-After seconds.",
	 "berthctl operation list"},
	{"too-many", 429, HINT_PLAIN, "Too many at once",
	 "A limit of connections, streams or open operations is reached; try again after "
	 "Retry-After seconds.",
	 "berthctl operation list"},
	{"head-too-large", 431, HINT_CALLER, "Head too large",
	 "A request line may have 8 KiB and all headers together 16 KiB, unless configured "
	 "otherwise.",
	 "man berth-api"},
	{"internal", 500, HINT_PLAIN, "Internal error",
	 "This is a bug or damage; the journal has more under the request's id.",
	 "journalctl -u berthd.service"},
	{"upstream-auth-failed", 502, HINT_INTEGRATION, "Credentials refused by the registry",
	 "Address and route are right, user or password are not.",
	 "berthctl integration edit NAME --help"},
	{"upstream-denied", 502, HINT_INTEGRATION, "Too few rights at the registry",
	 "The credentials are right, their rights are too few.",
	 "berthctl integration edit NAME --help"},
	{"upstream-digest", 502, HINT_INTEGRATION, "Wrong digest from the registry",
	 "Nothing of them was kept or passed on.", "berthctl integration probe NAME"},
	{"upstream-failed", 502, HINT_INTEGRATION, "Unusable answer from the registry",
	 "It broke its protocol or failed inside; cause has what came back.",
	 "berthctl integration probe NAME"},
	{"upstream-tls", 502, HINT_INTEGRATION, "TLS handshake failed",
	 "The certificate was refused, or the registry speaks no TLS. A private CA is given to "
	 "the integration.",
	 "berthctl integration edit NAME --help"},
	{"damaged", 503, HINT_PLAIN, "Damaged data",
	 "A row fails its check; the rest goes on. The detail names it.",
	 "journalctl -u berthd.service"},
	{"draining", 503, HINT_PLAIN, "Daemon stopping", "Try again after Retry-After seconds.",
	 "systemctl status berthd.service"},
	{"no-memory", 503, HINT_PLAIN, "Out of memory", "Try again after Retry-After seconds.",
	 "journalctl -u berthd.service"},
	{"read-only", 503, HINT_INTEGRATION, "Read-only at present",
	 "The store, or the backend, takes reads only; the detail says why.",
	 "journalctl -u berthd.service"},
	{"unavailable", 503, HINT_INTEGRATION, "Unavailable at present",
	 "The registry, the worker or the store does not answer; try again after Retry-After "
	 "seconds.",
	 "berthctl integration probe NAME"},
	{"upstream-timeout", 504, HINT_INTEGRATION, "Registry timed out",
	 "The deadline of the request passed.", "berthctl integration probe NAME"},
	{"disk-full", 507, HINT_PLAIN, "Disk full",
	 "The store's disk, or the backend's quota, is full. Changes are refused until there is "
	 "room.",
	 "df -h /var/lib/berth"},
};
const size_t problem_kind_count = ARRAY_COUNT(problem_kinds);

static const struct {
	int code;
	const char *kind;
} errors[] = {
	{BERTH_E_INVALID, "invalid-request"},  {BERTH_E_NOT_FOUND, "not-found"},
	{BERTH_E_CONFLICT, "conflict"},        {BERTH_E_AUTH, "upstream-auth-failed"},
	{BERTH_E_DENIED, "upstream-denied"},   {BERTH_E_UNAVAILABLE, "unavailable"},
	{BERTH_E_TIMEOUT, "upstream-timeout"}, {BERTH_E_CANCELLED, "cancelled"},
	{BERTH_E_UNSUPPORTED, "unsupported"},  {BERTH_E_PROTOCOL, "upstream-failed"},
	{BERTH_E_NO_MEMORY, "no-memory"},      {BERTH_E_INTERNAL, "internal"},
	{BERTH_E_LIMIT, "limit-exceeded"},     {BERTH_E_TLS, "upstream-tls"},
	{BERTH_E_DIGEST, "upstream-digest"},   {BERTH_E_THROTTLED, "throttled"},
	{BERTH_E_QUOTA, "disk-full"},          {BERTH_E_READ_ONLY, "read-only"},
	{BERTH_E_ADDRESS, "address-refused"},
};

const struct problem_kind *problem_kind_find(const char *code)
{
	while (code) {
		for (size_t i = 0; i < problem_kind_count; i++)
			if (!strcmp(problem_kinds[i].code, code))
				return &problem_kinds[i];
		code = strchr(code, '-');
		code += code != NULL;
	}
	return NULL;
}

const struct problem_kind *problem_kind_of_error(int code)
{
	for (size_t i = 0; i < ARRAY_COUNT(errors); i++)
		if (errors[i].code == code)
			return problem_kind_find(errors[i].kind);
	return problem_kind_find("internal");
}

/* Some kinds are berthd's own as well as a registry's, where its journal has nothing, and
 * where the path of the request was right. */
static const char *hint_of(const struct problem_kind *kind, const struct berth_error *err,
			   const char *instance, char *room)
{
	if (!err || err->from != BERTH_FROM_HTTP)
		return kind->hint;
	if (!strcmp(kind->code, "read-only"))
		return "berthctl maintain read-only NAME";
	if (!strcmp(kind->code, "not-found"))
		return "berthctl image list NAME";
	if (strcmp(kind->code, "conflict") != 0 && strcmp(kind->code, "internal") != 0)
		return kind->hint;
	snprintf(room, HINT_ROOM, "berthctl operation log %.36s", instance);
	return room;
}

/* What a registry sent beyond a cap is no fault of the request. */
static const struct problem_kind *kind_of(const struct berth_error *err)
{
	if (err && err->code == BERTH_E_LIMIT && err->from == BERTH_FROM_CURL)
		return problem_kind_find("upstream-failed");
	return problem_kind_of_error(err ? err->code : 0);
}

json_t *problem_document(const char *code, const struct berth_error *err, const char *instance)
{
	char command[HINT_ROOM];
	const struct problem_kind *kind = code ? problem_kind_find(code) : kind_of(err);
	if (!kind)
		kind = problem_kind_find("internal");
	if (!code)
		code = kind->code;
	json_t *p =
		json_pack("{s:s+,s:s,s:i,s:s,s:s}", "type", "/v1/problems/", code, "title",
			  kind->title, "status", kind->status, "code", code, "instance", instance);
	js_put_str(p, "hint", hint_of(kind, err, instance, command));
	if (!p || !err)
		return p;
	js_put_str(p, "detail", err->message);
	js_put_str(p, "cause", err->cause);
	if (err->from == BERTH_FROM_HTTP)
		json_object_set_new(p, "upstream", json_pack("{s:i}", "status", err->upstream));
	if (err->retry_ms)
		json_object_set_new(p, "retry_after_s", json_integer((err->retry_ms + 999) / 1000));
	return p;
}
