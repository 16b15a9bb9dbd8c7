/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a server with the things of http_things.h and hooks that remember,
 * fresh for each test, and short words for asking it.
 */
#ifndef TESTS_UNIT_HTTP_EXCHANGE_H
#define TESTS_UNIT_HTTP_EXCHANGE_H

#include "http_things.h"

/* The hooks: one remembered key, and what audit was told. */

static char kept_key[256], kept_body[256];
static json_t *kept_answer;
static bool key_runs;
static int audited_status, audited_count;
static int changes_begun, changes_ended;
static bool change_begins, change_fails, change_is_kept;

static int key_begin(struct daemon_state *daemon, const struct http_key *key,
		     enum http_key_state *ret_state, json_t **ret_answer, struct berth_error *err)
{
	(void)daemon;
	(void)err;
	if (key_runs) {
		*ret_state = HTTP_KEY_RUNNING;
		return 0;
	}
	if (kept_answer && !strcmp(kept_key, key->key)) {
		bool same = !strcmp(kept_body, key->body);
		*ret_state = same ? HTTP_KEY_REPLAY : HTTP_KEY_OTHER_BODY;
		*ret_answer = json_incref(kept_answer);
		return 0;
	}
	snprintf(kept_key, sizeof kept_key, "%s", key->key);
	snprintf(kept_body, sizeof kept_body, "%s", (const char *)key->body);
	*ret_state = HTTP_KEY_NEW;
	return 0;
}

static int key_finish(struct daemon_state *daemon, const struct http_key *key, const json_t *answer,
		      struct berth_error *err)
{
	(void)daemon;
	if (!strcmp(key->key, "disk-full"))
		return berth_fail(err, BERTH_E_QUOTA, "no room for the row");
	json_decref(kept_answer);
	kept_answer = answer ? json_deep_copy(answer) : NULL;
	return 0;
}

static void audit(struct daemon_state *daemon, const struct http_audit *entry)
{
	(void)daemon;
	audited_status = entry->status;
	audited_count++;
}

static int change_begin(struct daemon_state *daemon, struct berth_error *err)
{
	(void)daemon;
	if (!change_begins)
		return berth_fail(err, BERTH_E_UNAVAILABLE, "no transaction here");
	changes_begun++;
	return 0;
}

static int change_end(struct daemon_state *daemon, const struct http_audit *entry,
		      struct berth_error *err)
{
	(void)daemon;
	changes_ended++;
	if (change_fails)
		return berth_fail(err, BERTH_E_QUOTA, "no room for the row");
	audited_status = entry->status;
	change_is_kept = entry->status < 500;
	return 0;
}

static const struct http_hooks hooks = {.key_begin = key_begin,
					.key_finish = key_finish,
					.change_begin = change_begin,
					.change_end = change_end,
					.audit = audit};

static struct place place;
static char answer[1 << 16];

static struct http_config small_config(void)
{
	struct http_config c = {.limits = {.line_max_bytes = 8192,
					   .headers_max_bytes = 16384,
					   .body_max_bytes = 4096,
					   .bulk_body_max_bytes = 8192,
					   .head_ms = 60000,
					   .body_gap_ms = 60000,
					   .idle_ms = 60000,
					   .exchange_ms = 60000,
					   .connections_max = 12,
					   .connections_per_user_max = 8,
					   .streams_max = 2,
					   .wait_max_s = 1,
					   .reader_max_bytes = 4096,
					   .keep_alive_ms = 60000},
				.access = {.admin_gid = ACCESS_NO_ID,
					   .operator_gid = ACCESS_NO_ID,
					   .viewer_gid = ACCESS_NO_ID,
					   .reporter_gid = ACCESS_NO_ID,
					   .private_admin_uid = getuid()},
				.hooks = &hooks};
	return c;
}

static int set_up(void **state)
{
	struct http_config c = small_config();
	(void)state;
	calls = streams_closed = audited_status = 0;
	hold_s = 1;
	kept_key[0] = 0;
	key_runs = false;
	place_open(&place, &c);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	place_close(&place);
	json_decref(kept_answer);
	kept_answer = NULL;
	return 0;
}

static inline void restart(void (*change)(struct http_config *))
{
	struct http_config c = small_config();
	change(&c);
	place_close(&place);
	place_open(&place, &c);
}

/* What came last, and what it must and must not say. */
#define SAYS(text) assert_non_null(strstr(answer, text))
#define SAYS_NOT(text) assert_null(strstr(answer, text))
#define STATUS(code) assert_int_equal(status_of(answer), code)
/* Turns the server until it holds; a test that waits in vain is stuck. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		uint64_t end_ = clock_monotonic_ms() + PATIENCE_MS;                                \
		while (!(condition) && clock_monotonic_ms() < end_)                                \
			turn(&place, -1, 10);                                                      \
		assert_true(condition);                                                            \
	} while (0)

static inline void get(const char *bytes)
{
	ask(&place, bytes, answer, sizeof answer);
}

static inline void answers(const char *bytes, int status)
{
	get(bytes);
	STATUS(status);
}

static inline void say(int fd, const char *bytes)
{
	client_send(&place, fd, bytes, strlen(bytes));
}

static inline void hear(int fd)
{
	client_read(&place, fd, answer, sizeof answer, false);
}

static inline void hears(int fd, int status)
{
	hear(fd);
	STATUS(status);
}

/* As nobody, where the test runs as root. */
static inline int connect_unprivileged(void)
{
	uid_t mine = geteuid();
	if (!mine)
		assert_int_equal(seteuid(65534), 0);
	int fd = client_connect(&place);
	if (!mine)
		assert_int_equal(seteuid(0), 0);
	return fd;
}

static inline void ask_unprivileged(const char *bytes)
{
	int fd = connect_unprivileged();
	say(fd, bytes);
	hear(fd);
	close(fd);
}

/* Each row: what is sent, the status, the problem's code ("" none). */
struct exchange {
	const char *bytes;
	int status;
	const char *code;
};
#define H " HTTP/1.1\r\nHost: x\r\n"
#define END "\r\n"
#define JSON "Content-Type: application/json\r\n"

static inline void expect(const struct exchange *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char code[96];
		ask(&place, rows[i].bytes, answer, sizeof answer);
		snprintf(code, sizeof code, "\"code\":\"%s\"", rows[i].code);
		if (status_of(answer) != rows[i].status ||
		    (rows[i].code[0] && !strstr(answer, code)))
			print_message("sent %s\ngot %s\nwanted %d %s\n", rows[i].bytes, answer,
				      rows[i].status, rows[i].code);
		assert_int_equal(status_of(answer), rows[i].status);
		if (rows[i].code[0])
			assert_non_null(strstr(answer, code));
		if (rows[i].status >= 400)
			assert_non_null(strstr(answer, "application/problem+json"));
		assert_non_null(strstr(answer, "X-Request-Id: "));
	}
}
#define EXPECT(...)                                                                                \
	do {                                                                                       \
		static const struct exchange rows_[] = {__VA_ARGS__};                              \
		expect(rows_, ARRAY_COUNT(rows_));                                                 \
	} while (0)

#define POST(body, length) "POST /things" H JSON "Content-Length: " length "\r\n" END body

#define PATCH(body, length)                                                                        \
	"PATCH /things/a" H                                                                        \
	"Content-Type: application/merge-patch+json\r\nContent-Length: " length "\r\n" END body
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
