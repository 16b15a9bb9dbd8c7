/* SPDX-License-Identifier: Apache-2.0 */
/* The kit's server: HTTP/1.1 on a loopback port, a process a connection, one
 * answer each and then the end. What it answers is set through a shared page,
 * so that the kit can change it between calls.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conform/conform.h"

#define HUGE_BYTES (100u << 20)
#define DEEP_COUNT 100000
#define RETRY_AFTER_S "7"

struct upstream_state {
	_Atomic int mode, status;
	_Atomic unsigned connections;
};

/* When it behaves: a registry with two repositories, unless a script says more. */
static const char *const well[] = {
	"GET /v2/ 200 application/json {}",
	"GET /v2/_catalog 200 application/json {\"repositories\":[\"team/app\",\"team/web\"]}",
	("GET /v2/team/app/tags/list 200 application/json "
	 "{\"name\":\"team/app\",\"tags\":[\"1\",\"2\"]}"),
	"GET /v2/team/web/tags/list 200 application/json {\"name\":\"team/web\",\"tags\":[\"1\"]}",
	NULL,
};
/* A request's first line. */
struct ask {
	char method[16], path[512], query[512]; /* as sent, without the question mark */
};

static char *script_text;
static char script_headers[2048]; /* the script's own, each with its line end */
static char next_page[1200];      /* header lines of a list that never ends */

static void send_all(int fd, const char *bytes, size_t byte_count)
{
	while (byte_count) {
		ssize_t sent = send(fd, bytes, byte_count, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes += sent;
		byte_count -= (size_t)sent;
	}
}

static void answer(int fd, int status, const char *more, const char *type, const char *body,
		   size_t promised)
{
	char head[4096];
	snprintf(head, sizeof head,
		 "HTTP/1.1 %d Scripted\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
		 "Connection: close\r\n\r\n",
		 status, type, promised, more);
	send_all(fd, head, strlen(head));
	send_all(fd, body, strlen(body));
}

static void answer_huge(int fd)
{
	static char zeros[65536];
	memset(zeros, ' ', sizeof zeros);
	answer(fd, 200, "", "application/json", "[", HUGE_BYTES);
	for (size_t sent = 1; sent < HUGE_BYTES; sent += sizeof zeros)
		send_all(fd, zeros, sizeof zeros);
}

static void answer_deep(int fd)
{
	char *body = malloc(DEEP_COUNT + 1);
	if (!body)
		return;
	memset(body, '[', DEEP_COUNT);
	body[DEEP_COUNT] = 0;
	answer(fd, 200, "", "application/json", body, DEEP_COUNT);
	free(body);
}

/* Has the query this parameter, "name=value"? */
static bool has_parameter(const char *query, const char *parameter, size_t byte_count)
{
	for (const char *at = query; *at;) {
		size_t n = strcspn(at, "&");
		if (n == byte_count && !strncmp(at, parameter, n))
			return true;
		at += n + (at[n] == '&');
	}
	return false;
}

/* Is it that path, with every parameter of wanted's query? Others may be there too. */
static bool is_target(const struct ask *ask, const char *wanted)
{
	size_t path_bytes = strcspn(wanted, "?");
	if (strlen(ask->path) != path_bytes || strncmp(ask->path, wanted, path_bytes) != 0)
		return false;
	for (const char *at = wanted + path_bytes; *at;) {
		size_t n = strcspn(++at, "&");
		if (!has_parameter(ask->query, at, n))
			return false;
		at += n;
	}
	return true;
}

/* "METHOD PATH[?QUERY] STATUS TYPE BODY" against the request. headers: of this answer. */
static bool answer_line(int fd, const char *line, const struct ask *ask, const char *headers)
{
	char want_method[16], wanted[1024], want_status[8], type[128];
	int body_at = 0;
	if (sscanf(line, "%15s %1023s %7s %127s %n", want_method, wanted, want_status, type,
		   &body_at) < 4)
		return false;
	bool is_head = !strcmp(ask->method, "HEAD") && !strcmp(want_method, "GET");
	if ((strcmp(want_method, ask->method) != 0 && !is_head) || !is_target(ask, wanted))
		return false;
	const char *body = body_at ? line + body_at : "";
	int status = (int)strtol(want_status, NULL, 10);
	char more[sizeof next_page + 2 * sizeof script_headers + 64];
	snprintf(more, sizeof more, "Docker-Distribution-Api-Version: registry/2.0\r\n%s%s%s",
		 script_headers, headers, next_page);
	answer(fd, status, more, type, is_head ? "" : body, strlen(body));
	return true;
}

/* The lines "WITH NAME: VALUE" that at begins with, each with its line end. */
static void take_answer_headers(const char *at, char *to, size_t room)
{
	*to = 0;
	while (!strncmp(at, "WITH ", 5)) {
		size_t byte_count = strcspn(at, "\n"), have = strlen(to);
		if (have + byte_count < room)
			snprintf(to + have, room - have, "%.*s\r\n", (int)byte_count - 5, at + 5);
		at += byte_count + (at[byte_count] == '\n');
	}
}

static bool answer_script(int fd, const struct ask *ask)
{
	char line[65536], headers[sizeof script_headers];
	for (const char *at = script_text; at && *at;) {
		size_t byte_count = strcspn(at, "\n");
		snprintf(line, sizeof line, "%.*s", (int)byte_count, at);
		at += byte_count + (at[byte_count] == '\n');
		take_answer_headers(at, headers, sizeof headers);
		if (answer_line(fd, line, ask, headers))
			return true;
	}
	return false;
}

static void answer_well(int fd, const struct ask *ask)
{
	if (answer_script(fd, ask))
		return;
	for (const char *const *line = well; *line; line++)
		if (answer_line(fd, *line, ask, ""))
			return;
	answer(fd, 404, "", "application/json", "{\"errors\":[]}", 13);
}

/* Each page names another one after it, and a total that is never reached. */
static void answer_endless(int fd, const struct ask *ask, unsigned page)
{
	snprintf(next_page, sizeof next_page,
		 "Link: <%s?page=%u&last=%u>; rel=\"next\"\r\nX-Total-Count: 1000000000\r\n",
		 ask->path, page + 1, page);
	answer_well(fd, ask);
}

static void answer_as(struct upstream_state *s, int fd, const struct ask *ask)
{
	static const char html[] = "<html><body>Please sign in</body></html>";
	switch ((enum upstream_mode)s->mode) {
	case UPSTREAM_WELL:
		return answer_well(fd, ask);
	case UPSTREAM_SILENT:
		for (;;)
			pause();
	case UPSTREAM_STATUS:
		return answer(fd, s->status, "", "application/json", "{\"errors\":[]}", 13);
	case UPSTREAM_RETRY_AFTER:
		return answer(fd, 429, "Retry-After: " RETRY_AFTER_S "\r\n", "application/json",
			      "{}", 2);
	case UPSTREAM_CUT:
		return answer(fd, 200, "", "application/json", "{\"repositories\":[", 5000);
	case UPSTREAM_HUGE:
		return answer_huge(fd);
	case UPSTREAM_HTML:
		return answer(fd, 200, "", "text/html", html, sizeof html - 1);
	case UPSTREAM_DEEP:
		return answer_deep(fd);
	case UPSTREAM_TYPE:
		return answer(fd, 200, "", "image/png", "\x89PNG", 4);
	case UPSTREAM_GARBAGE:
		return send_all(fd, "\x16\x03\x01 no HTTP at all\n", 18);
	case UPSTREAM_ENDLESS:
		return answer_endless(fd, ask, s->connections);
	}
}

static _Noreturn void serve(struct upstream_state *s, int fd)
{
	char head[16384] = "";
	struct ask ask = {.method = ""};
	size_t have = 0;
	while (have < sizeof head - 1 && !strstr(head, "\r\n\r\n")) {
		ssize_t got = recv(fd, head + have, sizeof head - 1 - have, 0);
		if (got <= 0)
			_exit(0);
		have += (size_t)got;
		head[have] = 0;
	}
	if (sscanf(head, "%15s %511[^ ?]?%511[^ ]", ask.method, ask.path, ask.query) >= 2)
		answer_as(s, fd, &ask);
	shutdown(fd, SHUT_WR);
	while (recv(fd, head, sizeof head, 0) > 0)
		;
	_exit(0);
}

static _Noreturn void accept_all(struct upstream_state *s, int listening)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listening, NULL, NULL);
		if (fd < 0)
			continue;
		s->connections++;
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(s, fd);
		}
		close(fd);
	}
}

static bool read_script(const char *path)
{
	const size_t room = 1u << 20;
	FILE *file = path ? fopen(path, "r") : NULL;
	if (!path)
		return true;
	script_text = file ? calloc(1, room) : NULL;
	bool is_ok = script_text && fread(script_text, 1, room - 1, file) > 0;
	if (file)
		fclose(file);
	return is_ok;
}

/* The next line "WORD ..." from *at on, without the word, or NULL; free(). */
static char *next_of(const char *word, const char **at)
{
	while (*at && **at) {
		const char *line = *at;
		size_t byte_count = strcspn(line, "\n"), word_bytes = strlen(word);
		*at += byte_count + (line[byte_count] == '\n');
		if (byte_count > word_bytes && !strncmp(line, word, word_bytes))
			return strndup(line + word_bytes, byte_count - word_bytes);
	}
	return NULL;
}

static void take_headers(void)
{
	const char *at = script_text;
	for (char *line; (line = next_of("HEADER ", &at));) {
		size_t have = strlen(script_headers);
		if (have + strlen(line) + 3 <= sizeof script_headers)
			snprintf(script_headers + have, sizeof script_headers - have, "%s\r\n",
				 line);
		free(line);
	}
}

void script_options(const char **to, size_t room)
{
	const char *at = script_text;
	for (; room && (*to = next_of("OPTION ", &at)); to++)
		room--;
}

bool upstream_start(struct upstream *u, const char *script)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t byte_count = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	void *page = mmap(NULL, sizeof *u->state, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || page == MAP_FAILED || !read_script(script) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &byte_count))
		return false;
	take_headers();
	u->state = page;
	u->port = ntohs(address.sin_port);
	u->pid = fork();
	if (u->pid == 0)
		accept_all(u->state, fd);
	close(fd);
	return u->pid > 0;
}

void upstream_set(struct upstream *u, enum upstream_mode mode, int status)
{
	u->state->mode = (int)mode;
	u->state->status = status;
	u->state->connections = 0;
}

unsigned upstream_connections(const struct upstream *u)
{
	return u->state->connections;
}

void upstream_stop(struct upstream *u)
{
	kill(u->pid, SIGKILL);
}
