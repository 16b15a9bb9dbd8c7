/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selectbench seed FILE     a store of 5 integrations, 200 spaces, 20 000
 *                           repositories and 1 000 000 tags, written straight;
 *                           workspaces bound-1, bound-10 and bound-50
 * selectbench ask SOCKET    reads targets, one a line; asks each over one kept
 *                           connection and prints a line of JSON with p50, p99
 *                           and max in microseconds
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/store/images.h"
#include "core/store/integrations.h"
#include "core/store/spaces.h"
#include "core/store/workspaces.h"

enum { INTEGRATIONS = 5, SPACES = 200, REPOSITORIES = 20000, TAGS = 50, ASKED_MAX = 20000 };
static const char *const kinds[] = {"web", "api", "worker", "base"};

static int fail(const char *what, const struct berth_error *err)
{
	fprintf(stderr, "%s: %s: %s\n", what, err->message, err->cause);
	return 1;
}

static void id_of(const char *kind, int number, char *to)
{
	snprintf(to, UUID_ROOM, "%08x-0000-4000-8000-%012d", (unsigned)*kind, number);
}

static int seed_integration(struct store *s, int number, struct berth_error *err)
{
	char id[UUID_ROOM], name[32], status[128], at[CLOCK_TEXT_ROOM];
	struct integration row = {
		.id = id,
		.name = name,
		.kind = "dockerreg",
		.scope = "platform",
		.desired = "{\"address\":\"http://127.0.0.1:9\",\"enabled\":false}",
		.status = status,
		.phase = "healthy",
		.generation = 1,
		.probe_ms = 86400000,
		.checked_ms = clock_unix_ms(),
		.created_ms = 1,
		.updated_ms = 1,
	};

	id_of("integration", number, id);
	clock_format(clock_unix_ms(), at);
	snprintf(name, sizeof(name), "reg%d", number);
	snprintf(status, sizeof(status), "{\"index\":{\"at\":\"%s\"},\"phase\":\"healthy\"}", at);
	return integration_add(s, &row, err);
}

static int seed_space(struct store *s, int number, struct berth_error *err)
{
	char id[UUID_ROOM], integration[UUID_ROOM], name[32];
	struct space row = {
		.id = id,
		.integration_id = integration,
		.name = name,
		.origin = "native",
		.mode = "local",
		.can_push = 1,
		.is_present = 1,
		.quota_bytes = -1,
		.used_bytes = -1,
		.seen_ms = 1,
		.created_ms = 1,
	};

	id_of("space", number, id);
	id_of("integration", number % INTEGRATIONS, integration);
	snprintf(name, sizeof(name), "project-%03d", number);
	return space_put(s, &row, err);
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16;
}

static int seed_repository(struct store *s, int number, struct berth_error *err)
{
	char space[UUID_ROOM], integration[UUID_ROOM], name[64], tag[32];
	unsigned state = (unsigned)number + 1;
	struct repository row = {.space_id = space,
				 .integration_id = integration,
				 .name = name,
				 .more = "{}",
				 .seen_ms = 1};
	int64_t id = 0;

	id_of("space", number % SPACES, space);
	id_of("integration", number % SPACES % INTEGRATIONS, integration);
	snprintf(name, sizeof(name), "project-%03d/app-%05d-%s", number % SPACES, number,
		 kinds[number / 7 % 4]);
	int code = repository_put(s, &row, &id, err);
	for (int i = 0; !code && i < TAGS; i++) {
		struct tag one = {.repository_id = id, .name = tag, .digest = "", .seen_ms = 1};
		snprintf(tag, sizeof(tag), "v%d.%d.%u", i / 10, i % 10, next_random(&state) % 40);
		one.pushed_ms = 1700000000000 + (int64_t)(next_random(&state) % 10000) * 1000000;
		code = tag_put(s, &one, err);
	}
	return code;
}

static int seed_workspace(struct store *s, int bound, struct berth_error *err)
{
	char id[UUID_ROOM], name[32], space[UUID_ROOM];
	struct workspace row = {.id = id, .name = name, .description = "", .generation = 1};
	bool has_changed = false;

	id_of("workspace", bound, id);
	snprintf(name, sizeof(name), "bound-%d", bound);
	int code = workspace_add(s, &row, err);
	for (int i = 0; !code && i < bound; i++) {
		id_of("space", i * (SPACES / bound), space);
		code = space_bind(s, space, id, 1, &has_changed, err);
	}
	return code;
}

static int seed_all(struct store *s, struct berth_error *err)
{
	int code = store_begin(s, err);

	for (int i = 0; !code && i < INTEGRATIONS; i++)
		code = seed_integration(s, i, err);
	for (int i = 0; !code && i < SPACES; i++)
		code = seed_space(s, i, err);
	for (int i = 1; !code && i <= 50; i = i == 1 ? 10 : i == 10 ? 50 : 51)
		code = seed_workspace(s, i, err);
	for (int i = 0; !code && i < REPOSITORIES; i++)
		code = seed_repository(s, i, err);
	return code ? code : store_commit(s, err);
}

static int seed(const char *path)
{
	struct store_settings settings = {.path = path};
	struct berth_error err = ERROR_INIT;
	struct store *s = NULL;
	int code = store_open(&settings, &s, &err);

	if (!code)
		code = seed_all(s, &err);
	store_close(s);
	return code ? fail("seed", &err) : 0;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* One request and all of its answer; false: the connection failed. */
static bool ask_one(int fd, const char *target)
{
	static char room[4 << 20];
	size_t have = 0, want = 0;
	int n = snprintf(room, sizeof(room), "GET %s HTTP/1.1\r\nHost: b\r\n\r\n", target);

	if (write(fd, room, (size_t)n) != n)
		return false;
	while (!want || have < want) {
		ssize_t got = read(fd, room + have, sizeof(room) - have - 1);
		if (got <= 0)
			return false;
		have += (size_t)got;
		room[have] = '\0';
		const char *end = strstr(room, "\r\n\r\n");
		const char *length = end ? strcasestr(room, "\r\nContent-Length:") : NULL;
		if (length)
			want = (size_t)(end + 4 - room) + strtoul(length + 17, NULL, 10);
	}
	if (strncmp(room, "HTTP/1.1 200", 12) != 0)
		fprintf(stderr, "%s: %.200s\n", target, room);
	return !strncmp(room, "HTTP/1.1 200", 12);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int ask(const char *path)
{
	static double took[ASKED_MAX];
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[4096];
	size_t count = 0;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		perror(path);
		return 1;
	}
	while (count < ASKED_MAX && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		double began = now_us();
		if (!ask_one(fd, line))
			return 1;
		took[count++] = now_us() - began;
	}
	close(fd);
	if (!count)
		return 1;
	qsort(took, count, sizeof(*took), compare);
	printf("{\"count\":%zu,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f}\n", count,
	       took[count / 2], took[count * 99 / 100], took[count - 1]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "seed"))
		return seed(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "ask"))
		return ask(argv[2]);
	fputs("selectbench seed FILE | ask SOCKET\n", stderr);
	return 2;
}
