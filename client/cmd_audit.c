/* SPDX-License-Identifier: Apache-2.0 */
/* audit: who did what. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/cmd.h"
#include "client/show.h"
#include "core/base/chain.h"
#include "core/base/clock.h"
#include "core/base/text.h"

static const struct flag list_flags[] = {
	{"user", 'u', FLAG_TEXT, "NAME", "done by this user, by name or number", .query = "user"},
	{"action", 'a', FLAG_TEXT, "ACTION", "this action; * stands for anything",
	 .query = "action"},
	{"resource", 'r', FLAG_TEXT, "PATH", "done to this path; * stands for anything",
	 .query = "resource"},
	{"result", 0, FLAG_TEXT, "RESULT", "accepted, succeeded, denied, failed, ...",
	 .query = "result"},
	{"since", 0, FLAG_TEXT, "TIME", "from then on: 2026-01-31T12:00:00Z", .query = "since"},
	{"until", 0, FLAG_TEXT, "TIME", "before then", .query = "until"},
	{"last", 0, FLAG_SECONDS, "TIME", .help = "within this time: 90m, 24h, 7d"},
	{"search", 'q', FLAG_TEXT, "TEXT", "rows that have this text anywhere", .query = "q"},
	{0},
};

/* --last is --since, counted from now. */
static int list(struct cli *c)
{
	char since[CLOCK_TEXT_ROOM];
	if (!cli_has(c, "last"))
		return run_list(c);
	if (cli_has(c, "since"))
		return cli_usage(c, "--since and --last say the same: give one of them");
	clock_format(clock_unix_ms() - (int64_t)cli_count(c, "last", 0) * 1000, since);
	char *path = path_with_flags(c, strdup("/v1/audit"));
	AUTO_FREE char *full = path ? api_query(path, "since", since) : NULL;
	return full ? list_path(c, full) : cli_no_memory(c);
}

static const struct column audit_columns[] = {
	{"NUMBER", "number", COL_COUNT, false},
	{"TIME", "at", COL_TIME, false},
	{"BY", "user", COL_TEXT, false},
	{"ACTION", "action", COL_TEXT, false},
	{"RESULT", "result", COL_STATE, false},
	{"RESOURCE", "resource", COL_LONG, false},
	{"UID", "uid", COL_TEXT, true},
	{"GROUPS", "groups", COL_LONG, true},
	{"REQUEST", "request", COL_TEXT, true},
	{"DETAIL", "detail", COL_LONG, true},
	{0},
};

static void chain_line(struct cli *c, const json_t *verdict)
{
	bool is_signed = js_bool(verdict, "signed", false);
	fprintf(c->out.file, "%lld rows, an unbroken chain%s",
		(long long)js_int(verdict, "rows", 0),
		is_signed ? ", signed with " : "; its ends are not signed");
	term_put(&c->out, is_signed ? js_str(verdict, "public_key", "") : "");
	fputc('\n', c->out.file);
}

/* How a walk over a trail ended, as the API says it of its own. */
static int say_verdict(struct cli *c, const json_t *verdict)
{
	bool is_good = js_bool(verdict, "ok", false);
	int status = show_document(c, verdict);
	if (status < 0 && is_good)
		chain_line(c, verdict);
	if (status < 0 && is_good && js_int(verdict, "unsigned_to", 0))
		fprintf(c->out.file, "rows up to %lld were written without a key\n",
			(long long)js_int(verdict, "unsigned_to", 0));
	if (is_good)
		return EXIT_OK;
	cli_usage(c, "the audit trail was changed: row %lld does not fit: %s",
		  (long long)js_int(verdict, "first_bad", 0), js_str(verdict, "message", ""));
	return EXIT_FINDINGS;
}

enum { LINE_BYTES_MAX = 1 << 20 };

/* An exported file on its way through. */
struct trail {
	FILE *file;
	char *line;  /* LINE_BYTES_MAX */
	json_t *row; /* the line's */
	struct chain_walk walk;
	struct chain_seal end;
	const char *key; /* that the user knows, or NULL */
	char own_key[SIGN_PUBLIC_ROOM];
};

static void trail_done(struct trail *t)
{
	if (t->file)
		fclose(t->file);
	free(t->line);
	json_decref(t->row);
}

/* The next line's object; false at the end. */
static bool next_line(struct trail *t, struct berth_error *err)
{
	static const struct js_limits limits = {LINE_BYTES_MAX, 100000, 64};
	json_decref(t->row);
	t->row = NULL;
	if (!fgets(t->line, LINE_BYTES_MAX, t->file)) {
		if (ferror(t->file))
			(void)berth_fail_errno(err, errno, "cannot read the trail");
		return false;
	}
	int code = js_parse(t->line, strlen(t->line), &limits, &t->row, err);
	if (code && code != BERTH_E_NO_MEMORY) {
		(void)berth_wrap(err, "a line is no JSON");
		err->code = BERTH_E_DIGEST;
	}
	return !err->code;
}

static void read_seal(const json_t *from, struct chain_seal *to)
{
	*to = (struct chain_seal){.number = js_int(from, "number", -1),
				  .time_ms = js_int(from, "time_ms", 0)};
	snprintf(to->hash, sizeof(to->hash), "%s", js_str(from, "hash", ""));
	snprintf(to->signature, sizeof(to->signature), "%s", js_str(from, "signature", ""));
}

static int walk_trail(struct trail *t, struct berth_error *err)
{
	struct chain_seal start;
	bool is_there = next_line(t, err);
	if (!is_there && err->code && err->code != BERTH_E_DIGEST)
		return err->code;
	if (!is_there || js_int(t->row, "berth_audit", 0) != 1)
		return berth_fail(err, BERTH_E_DIGEST,
				  "the first line is not that of an exported audit trail");
	read_seal(json_object_get(t->row, "start"), &start);
	read_seal(json_object_get(t->row, "end"), &t->end);
	snprintf(t->own_key, sizeof(t->own_key), "%s", js_str(t->row, "public_key", ""));
	if (chain_begin(&t->walk, t->key ? t->key : t->own_key, &start, err))
		return err->code;
	while (next_line(t, err)) {
		char hash[CHAIN_HASH_ROOM];
		snprintf(hash, sizeof(hash), "%s", js_str(t->row, "hash", ""));
		json_object_del(t->row, "hash");
		if (chain_step(&t->walk, t->row, hash, err))
			return err->code;
	}
	return err->code ? err->code : chain_end(&t->walk, &t->end, err);
}

static int verify_file(struct cli *c, const char *path)
{
	CLEANUP(trail_done) struct trail t = {.key = cli_flag(c, "key", NULL)};
	struct berth_error err = ERROR_INIT;
	t.file = fopen(path, "re");
	t.line = malloc(LINE_BYTES_MAX);
	if (!t.file || !t.line) {
		(void)(t.file ? berth_fail_memory(&err)
			      : berth_fail_errno(&err, errno, "cannot read %s", path));
		return cli_report(c, &err);
	}
	int code = walk_trail(&t, &err);
	if (code && code != BERTH_E_DIGEST)
		return cli_report(c, &err);
	const char *key = t.key ? t.key : t.own_key;
	AUTO_JSON json_t *verdict = json_pack("{s:b, s:I, s:b}", "ok", !code, "rows",
					      (json_int_t)t.walk.row_count, "signed", *key);
	js_put_str(verdict, "public_key", *key ? key : NULL);
	if (t.walk.unsigned_to)
		json_object_set_new(verdict, "unsigned_to", json_integer(t.walk.unsigned_to));
	if (code) {
		json_object_set_new(verdict, "first_bad", json_integer(t.walk.number + 1));
		js_put_str(verdict, "message", err.message);
	} else if (!t.key) {
		cli_note(c, "the key is what the file says: compare it with the daemon's, or give "
			    "--key");
	}
	return say_verdict(c, verdict);
}

static int verify(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *verdict = NULL;
	if (cli_has(c, "file"))
		return verify_file(c, cli_flag(c, "file", ""));
	if (cli_has(c, "key"))
		return cli_usage(c, "--key is for --file: the daemon has its own");
	if (api_get(c, "/v1/audit/verify", &verdict, &err))
		return cli_report(c, &err);
	return say_verdict(c, verdict);
}

/* The stream as it comes. */
static int copy_trail(struct cli *c, FILE *to, struct berth_error *err)
{
	struct http_answer answer;
	char bytes[16384];
	size_t count = 1;
	int code = api_stream(c, "/v1/audit/export",
			      "application/x-ndjson, application/problem+json", &answer, err);
	while (!code && count) {
		code = http_read_some(&c->http, &answer, bytes, sizeof(bytes), &count, err);
		if (!code && fwrite(bytes, 1, count, to) != count)
			code = berth_fail_errno(err, errno, "cannot write the audit trail");
	}
	http_answer_done(&answer);
	c->http.is_broken = true;
	if (!code && fflush(to))
		code = berth_fail_errno(err, errno, "cannot write the audit trail");
	return code;
}

/* Whole and verified under another name, then renamed. */
static int export_to(struct cli *c, const char *path, const char *part)
{
	struct berth_error err = ERROR_INIT;
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file) {
		(void)berth_fail_errno(&err, errno, "cannot make %s", part);
		return cli_report(c, &err);
	}
	int code = copy_trail(c, file, &err);
	if (fclose(file) && !code)
		code = berth_fail_errno(&err, errno, "cannot write %s", part);
	int status = code ? cli_report(c, &err) : verify_file(c, part);
	if (!status && rename(part, path)) {
		(void)berth_fail_errno(&err, errno, "cannot rename %s", part);
		status = cli_report(c, &err);
	}
	if (status)
		unlink(part);
	return status;
}

static int export(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	const char *path = cli_operand(c, 0);
	if (!strcmp(path, "-") && c->out.is_tty) {
		cli_usage(c, "the trail is written as it is, which is not for a terminal");
		cli_hint(c, "berthctl audit list");
		return EXIT_USAGE;
	}
	if (!strcmp(path, "-"))
		return copy_trail(c, c->out.file, &err) ? cli_report(c, &err) : EXIT_OK;
	AUTO_FREE char *part = text_printf("%s.part", path);
	return part ? export_to(c, path, part) : cli_no_memory(c);
}

static const struct flag verify_flags[] = {
	{"file", 'f', FLAG_TEXT, "FILE", .help = "an exported file instead of the daemon's trail"},
	{"key", 0, FLAG_TEXT, "HEX", .help = "with --file: the public key to check its seals with"},
	{0},
};

const struct command audit_commands[] = {
	{
		.noun = "audit",
		.verb = "export",
		.summary = "Write the whole audit trail to a file, and verify that",
		.details = "One JSON object a line: the seals of both ends, then each row as it is "
			   "hashed. The file is made when it is whole and its chain holds.",
		.operands = {{"FILE", OPERAND_ONE, 0, "the file to write, or - for the output"}},
		.examples = {{"berthctl audit export trail.ndjson", "to keep it elsewhere"},
			     {"berthctl audit export - | xz >trail.xz", "unverified, as it comes"}},
		.method = "GET",
		.route = "/v1/audit/export",
		.run = export,
	},
	{
		.noun = "audit",
		.verb = "list",
		.aliases = "ls",
		.summary = "List who did what and what was refused, newest first",
		.details = "The detail has what was asked, with secrets masked, and what the "
			   "resource was before and is after. Admins of a workspace get the rows "
			   "of what is the workspace's, without numbers; -o name then prints the "
			   "request, which --search finds.",
		.flags = list_flags,
		.examples = {{"berthctl audit list --limit 50", "the last fifty"},
			     {"berthctl audit list --user alice --last 24h",
			      "what alice did since yesterday"},
			     {"berthctl audit list --resource '/v1/spaces/*' --action '*delete*'",
			      "who deleted what of spaces"},
			     {"berthctl audit list --filter 'result eq \"denied\"' -o csv",
			      "refusals, for a spreadsheet"}},
		.method = "GET",
		.route = "/v1/audit",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = audit_columns,
		.name_path = "number",
		.name_else = "request",
		.run = list,
	},
	{
		.noun = "audit",
		.verb = "verify",
		.summary = "Check that no row of the audit trail was altered, taken out or put in",
		.details = "Each row's hash covers the one before, and both ends are sealed with a "
			   "key that the store does not hold: rows cut off, and a seal that was "
			   "forged or removed, show too. A store that was put back to an older "
			   "state as a whole does not: compare with an exported file, or with the "
			   "lines in the journal. Exit 10 says that the chain is broken, and at "
			   "which row.",
		.flags = verify_flags,
		.examples = {{"berthctl audit verify", "walks the whole chain"},
			     {"berthctl audit verify --file trail.ndjson --key 3b6a...",
			      "an exported file, anywhere, without a daemon"},
			     {"berthctl audit verify || mail -s 'audit trail' admin </dev/null",
			      "in a timer"}},
		.method = "GET",
		.route = "/v1/audit/verify",
		.run = verify,
	},
	{0},
};
