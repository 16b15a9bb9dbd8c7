/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test of the store, and short ways to open it. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/store/texts.h"

struct fixture {
	char folder[64], path[96], key[96];
	struct store *store;
};

static inline int fixture_open(struct fixture *f, struct berth_error *err)
{
	struct store_settings settings = {.path = f->path, .busy_timeout_ms = 50};

	return store_open(&settings, &f->store, err);
}

static inline void fixture_reopen(struct fixture *f)
{
	struct berth_error err = ERROR_INIT;

	store_close(f->store);
	f->store = NULL;
	if (fixture_open(f, &err))
		fail_msg("cannot open the store: %s (%s)", err.message, err.cause);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	snprintf(f->folder, sizeof(f->folder), "/tmp/berth-store.XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/berth.db", f->folder);
	snprintf(f->key, sizeof(f->key), "%s/key", f->folder);
	*state = f;
	fixture_reopen(f);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	static const char *const names[] = {"berth.db",      "berth.db-wal", "berth.db-shm",
					    "berth.db.lock", "berth.db.new", "key",
					    "key.new"};
	struct fixture *f = *state;
	char path[160];

	store_close(f->store);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		struct berth_error err = ERROR_INIT;                                               \
		if (call)                                                                          \
			fail_msg("%s: %s (%s)", #call, err.message, err.cause);                    \
	} while (0)
#define FAILS(code, call)                                                                          \
	do {                                                                                       \
		struct berth_error err = ERROR_INIT;                                               \
		assert_int_equal(call, code);                                                      \
		assert_int_not_equal(err.message[0], 0);                                           \
	} while (0)
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static inline void add_integration(struct store *s, const char *id, const char *name)
{
	struct integration row = {
		.id = (char *)id,
		.name = (char *)name,
		.kind = "dockerreg",
		.scope = "platform",
		.desired = "{}",
		.status = "{}",
		.phase = "healthy",
		.generation = 1,
		.probe_ms = 60000,
		.created_ms = 1,
		.updated_ms = 1,
	};

	OK(integration_add(s, &row, &err));
}

static inline void add_operation(struct store *s, const char *id, const char *kind,
				 const char *state, int64_t at_ms)
{
	struct operation_row row = {
		.id = (char *)id,
		.kind = (char *)kind,
		.state = (char *)state,
		.resources = "[]",
		.locks = "[]",
		.integration = "",
		.arguments = "{}",
		.progress = "",
		.result = "",
		.error = "",
		.user_name = "",
		.request_id = "",
		.created_ms = at_ms,
		.ended_ms = strcmp(state, "running") ? at_ms : 0,
	};

	OK(operation_row_add(s, &row, &err));
}

static inline void add_space(struct store *s, const char *id, const char *integration_id,
			     const char *name)
{
	struct space row = {
		.id = (char *)id,
		.integration_id = (char *)integration_id,
		.name = (char *)name,
		.origin = "declared",
		.mode = "local",
		.can_push = 1,
		.is_present = 1,
		.quota_bytes = -1,
		.used_bytes = -1,
		.seen_ms = 1,
		.created_ms = 1,
	};

	OK(space_put(s, &row, &err));
}

#endif
