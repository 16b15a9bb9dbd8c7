/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file, transactions and faults (reference: faults 80 to 86). */
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/js.h"
#include "core/store/migrate.h"
#include "core/store/sqlite.h"

static char *setting(struct store *s, const char *name)
{
	char *value = NULL;

	OK(store_get_setting(s, name, &value, &err));
	return value;
}

static void assert_setting(struct store *s, const char *name, const char *expected)
{
	AUTO_FREE char *value = setting(s, name);

	if (expected)
		assert_string_equal(value, expected);
	else
		assert_null(value);
}

/* What a level wrote that could not be rolled back is not kept by those around it. */
static void a_rollback_that_lacked_memory_spoils_what_is_around_it(void **state)
{
	struct fixture *f = *state;

	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "outer", "1", &err));
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "inner", "1", &err));
	OK(sqlite3_db_config(f->store->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0));
	sqlite3_hard_heap_limit64(1);
	store_rollback(f->store);
	sqlite3_hard_heap_limit64(0);
	FAILS(BERTH_E_NO_MEMORY, store_commit(f->store, &err));
	assert_setting(f->store, "inner", NULL);
	assert_setting(f->store, "outer", NULL);
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "alone", "1", &err));
	sqlite3_hard_heap_limit64(1);
	store_rollback(f->store);
	sqlite3_hard_heap_limit64(0);
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "next", "1", &err));
	OK(store_commit(f->store, &err));
	assert_setting(f->store, "alone", NULL);
	assert_setting(f->store, "next", "1");
}

/* Its row would be written again without it. */
static void a_column_that_lacked_memory_is_a_loss(void **state)
{
	static const struct store_sql big = {"test-big", "SELECT randomblob(3000000)"};
	struct fixture *f = *state;
	AUTO(rows) struct store_rows *rows = NULL;
	unsigned losses = js_losses();
	bool has_row = false;

	OK(store_begin(f->store, &err));
	OK(store_query(f->store, &big, NULL, 0, &rows, &err));
	OK(rows_next(rows, &has_row, &err));
	sqlite3_hard_heap_limit64(sqlite3_memory_used() + 1000);
	assert_string_equal(rows_text(rows, 0), ""); /* it has to be copied for its NUL */
	sqlite3_hard_heap_limit64(0);
	assert_int_equal(js_losses() - losses, 1);
	rows_close(STEAL(rows));
	OK(store_set_setting(f->store, "a", "1", &err));
	FAILS(BERTH_E_NO_MEMORY, store_commit(f->store, &err));
	assert_setting(f->store, "a", NULL);
}

static void what_is_committed_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;

	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "a", "1", &err));
	OK(store_commit(f->store, &err));
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "b", "2", &err));
	fixture_reopen(f);
	assert_setting(f->store, "a", "1");
	assert_setting(f->store, "b", NULL);
}

static void the_file_is_private(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_inner_level_is_undone_alone(void **state)
{
	struct fixture *f = *state;

	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "outer", "1", &err));
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "inner", "1", &err));
	assert_int_equal(store_depth(f->store), 2);
	store_rollback(f->store);
	OK(store_commit(f->store, &err));
	assert_setting(f->store, "outer", "1");
	assert_setting(f->store, "inner", NULL);
}

/* What SQLite holds is bounded by its cache, 1 MiB, however much is written: berthd's
 * memory does not go with the events of a long copy. */
static void memory_does_not_grow_with_what_is_written(void **state)
{
	struct fixture *f = *state;
	char name[32], value[1025];
	struct stat st;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	sqlite3_int64 before = sqlite3_memory_used();
	for (int batch = 0; batch < 4; batch++) {
		OK(store_begin(f->store, &err));
		for (int i = 0; i < 1500; i++) {
			snprintf(name, sizeof(name), "row-%d-%d", batch, i);
			OK(store_set_setting(f->store, name, value, &err));
		}
		OK(store_commit(f->store, &err));
	}
	assert_setting(f->store, "row-0-0", value);
	assert_true(sqlite3_memory_used() - before < 3 << 19);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_size > 4 << 20);
}

struct told {
	unsigned commits, inner_commits, rollbacks, depth;
};
static void told_commit(void *user, unsigned depth)
{
	((struct told *)user)->commits += depth == 0;
	((struct told *)user)->inner_commits += depth > 0;
}
static void told_rollback(void *user, unsigned depth)
{
	((struct told *)user)->rollbacks++;
	((struct told *)user)->depth = depth;
}

static void hooks_hear_of_commits_and_of_rollbacks(void **state)
{
	struct fixture *f = *state;
	struct told told = {0};
	struct store_hook hook = {told_commit, told_rollback, &told};

	store_add_hook(f->store, &hook);
	OK(store_begin(f->store, &err));
	OK(store_begin(f->store, &err));
	OK(store_commit(f->store, &err));
	assert_int_equal(told.commits, 0);
	assert_int_equal(told.inner_commits, 1);
	OK(store_begin(f->store, &err));
	store_rollback(f->store);
	assert_int_equal(told.rollbacks, 1);
	assert_int_equal(told.depth, 1);
	OK(store_commit(f->store, &err));
	assert_int_equal(told.commits, 1);
	store_remove_hook(f->store, &told);
	OK(store_begin(f->store, &err));
	OK(store_commit(f->store, &err));
	assert_int_equal(told.commits, 1);
}

static void a_scope_left_early_rolls_back(void **state)
{
	struct fixture *f = *state;

	{
		TRANSACTION t = {0};

		OK(transaction_begin(&t, f->store, &err));
		OK(store_set_setting(f->store, "a", "1", &err));
	}
	assert_int_equal(store_depth(f->store), 0);
	assert_setting(f->store, "a", NULL);
}

static void numbers_are_never_given_twice(void **state)
{
	struct fixture *f = *state;
	int64_t first, second, other;

	OK(store_next_id(f->store, "x", &first, &err));
	fixture_reopen(f);
	OK(store_next_id(f->store, "x", &second, &err));
	OK(store_next_id(f->store, "y", &other, &err));
	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
	assert_int_equal(other, 1);
}

static void one_text_may_run_inside_itself(void **state)
{
	static const struct store_sql text = {"all", "SELECT name FROM settings ORDER BY name"};
	struct fixture *f = *state;
	struct store_rows *outer, *inner;
	bool has_row;

	OK(store_set_setting(f->store, "a", "1", &err));
	OK(store_set_setting(f->store, "b", "1", &err));
	OK(store_query(f->store, &text, NULL, 0, &outer, &err));
	OK(rows_next(outer, &has_row, &err));
	OK(store_query(f->store, &text, NULL, 0, &inner, &err));
	OK(rows_next(inner, &has_row, &err));
	assert_string_equal(rows_text(inner, 0), "a");
	OK(rows_next(outer, &has_row, &err));
	assert_string_equal(rows_text(outer, 0), "b");
	rows_close(inner);
	rows_close(outer);
}

static void a_wrong_count_of_values_is_refused(void **state)
{
	static const struct store_sql text = {"two", "SELECT ?, ?"};
	struct fixture *f = *state;
	struct store_rows *rows = NULL;

	FAILS(BERTH_E_INTERNAL, store_query(f->store, &text, VALUES(V_INT(1)), &rows, &err));
	assert_null(rows);
}

static void every_text_prepares_and_is_named_once(void **state)
{
	struct fixture *f = *state;
	const char *names[STORE_STATEMENTS];
	size_t count = 0;

	for (size_t i = 0; store_all_texts[i]; i++)
		for (size_t k = 0; k < store_all_texts[i]->text_count; k++) {
			const struct store_sql *text = &store_all_texts[i]->texts[k];
			sqlite3_stmt *statement = NULL;

			if (sqlite3_prepare_v2(f->store->db, text->text, -1, &statement, NULL))
				fail_msg("%s: %s", text->name, sqlite3_errmsg(f->store->db));
			sqlite3_finalize(statement);
			for (size_t n = 0; n < count; n++)
				assert_string_not_equal(names[n], text->name);
			assert_in_range(count, 0, STORE_STATEMENTS - 1);
			names[count++] = text->name;
		}
	assert_in_range(count, 20, STORE_STATEMENTS);
}

static int see_row(void *user, const void *row, struct berth_error *error)
{
	(void)row;
	(void)error;
	++*(int64_t *)user;
	return 0;
}

/* All are empty but for the seals of an empty audit trail. */
static void every_table_lists_and_counts(void **state)
{
	struct fixture *f = *state;
	static const struct store_page all = {0};
	int64_t count, seen;

	for (size_t i = 0; store_all_tables[i]; i++) {
		seen = 0;
		OK(store_list(f->store, store_all_tables[i], &all, see_row, &seen, NULL, &err));
		OK(store_count(f->store, store_all_tables[i], &all, &count, &err));
		/* Both ends of the audit chain, and the built-in roles. */
		assert_int_equal(count, store_all_tables[i] == &audit_seals_table ? 2
					: store_all_tables[i] == &roles_table     ? 5
										  : 0);
		assert_int_equal(seen, count);
	}
}

static void a_second_daemon_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings = {.path = f->path};
	struct store *second = NULL;

	FAILS(BERTH_E_UNAVAILABLE, store_open(&settings, &second, &err));
	assert_null(second);
}

static void overwrite(const char *path, off_t at, const void *bytes, size_t count)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, count, at), count);
	close(fd);
}

static void damage_to_the_file_is_seen_at_opening(void **state)
{
	static const struct {
		const char *what;
		off_t cut, at;
		size_t count;
	} cases[] = {
		{"empty", 0, 0, 0},
		{"cut in the header", 50, 0, 0},
		{"cut in a page", 6000, 0, 0},
		{"one page left", 4096, 0, 0},
		{"header zeroed", -1, 0, 4096},
		{"a page zeroed", -1, 8192, 4096},
		{"a few bytes", -1, 4096, 16},
	};
	static const char zeros[4096];
	struct fixture *f = *state;
	char copy[160];

	store_close(f->store);
	f->store = NULL;
	snprintf(copy, sizeof(copy), "%s.good", f->path);
	assert_int_equal(rename(f->path, copy), 0);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		AUTO_FREE char *command = NULL;
		struct stat before, after;

		assert_true(asprintf(&command, "cp %s %s", copy, f->path) > 0);
		assert_int_equal(system(command), 0);
		if (cases[i].cut >= 0)
			assert_int_equal(truncate(f->path, cases[i].cut), 0);
		else
			overwrite(f->path, cases[i].at, zeros, cases[i].count);
		stat(f->path, &before);
		FAILS(BERTH_E_PROTOCOL, fixture_open(f, &err));
		stat(f->path, &after);
		assert_int_equal(before.st_size, after.st_size);
	}
	assert_int_equal(rename(copy, f->path), 0);
	fixture_reopen(f);
}

static void random_bytes_are_not_a_store(void **state)
{
	struct fixture *f = *state;
	unsigned char bytes[8192];

	store_close(f->store);
	f->store = NULL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7919 >> 3);
	overwrite(f->path, 0, bytes, sizeof(bytes));
	FAILS(BERTH_E_PROTOCOL, fixture_open(f, &err));
}

static void a_newer_schema_is_left_alone(void **state)
{
	static const struct store_sql text = {
		"newer", "INSERT INTO schema_versions (number, name, applied_ms) VALUES (?, ?, ?)"};
	struct fixture *f = *state;

	OK(store_run(f->store, &text, VALUES(V_INT(999), V_TEXT("later"), V_INT(1)), NULL, &err));
	store_close(f->store);
	f->store = NULL;
	FAILS(BERTH_E_UNSUPPORTED, fixture_open(f, &err));
}

static void migrations_are_numbered_without_gaps(void **state)
{
	struct fixture *f = *state;
	int number = 0;

	for (const struct store_migration *m = store_migrations; m->number; m++)
		assert_int_equal(m->number, ++number);
	assert_int_equal(store_schema(f->store), number);
}

static void a_rest_of_an_unfinished_creation_is_no_hindrance(void **state)
{
	struct fixture *f = *state;
	char fresh[160];
	int fd;

	store_close(f->store);
	f->store = NULL;
	assert_int_equal(unlink(f->path), 0);
	snprintf(fresh, sizeof(fresh), "%s.new", f->path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	fixture_reopen(f);
	assert_int_equal(access(fresh, F_OK), -1);
}

/* The disk is full: SQLite's own way of writing is replaced. */
static bool disk_full;
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t full_pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	if (disk_full) {
		errno = ENOSPC;
		return -1;
	}
	return real_pwrite(fd, bytes, count, at);
}

static void a_full_disk_stops_writes_until_space_returns(void **state)
{
	struct fixture *f = *state;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	const char *why = NULL;

	real_pwrite = pwrite;
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)full_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)full_pwrite);
	OK(store_set_setting(f->store, "before", "1", &err));
	disk_full = true;
	FAILS(BERTH_E_QUOTA, store_set_setting(f->store, "during", "1", &err));
	assert_int_equal(store_health(f->store, &why), BERTH_E_QUOTA);
	assert_int_not_equal(why[0], 0);
	FAILS(BERTH_E_QUOTA, store_begin(f->store, &err));
	assert_setting(f->store, "before", "1");
	FAILS(BERTH_E_QUOTA, store_probe(f->store, &err));
	disk_full = false;
	FAILS(BERTH_E_QUOTA, store_set_setting(f->store, "during", "1", &err));
	OK(store_probe(f->store, &err));
	assert_int_equal(store_health(f->store, NULL), 0);
	OK(store_set_setting(f->store, "after", "1", &err));
	vfs->xSetSystemCall(vfs, NULL, NULL);
	fixture_reopen(f);
	assert_setting(f->store, "during", NULL);
	assert_setting(f->store, "after", "1");
}

static void a_transaction_cut_by_a_full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	real_pwrite = pwrite;
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)full_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)full_pwrite);
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "one", "1", &err));
	OK(store_begin(f->store, &err));
	OK(store_set_setting(f->store, "two", "1", &err));
	OK(store_commit(f->store, &err));
	disk_full = true;
	FAILS(BERTH_E_QUOTA, store_commit(f->store, &err));
	disk_full = false;
	assert_int_equal(store_depth(f->store), 0);
	OK(store_probe(f->store, &err));
	assert_setting(f->store, "one", NULL);
	assert_setting(f->store, "two", NULL);
	vfs->xSetSystemCall(vfs, NULL, NULL);
}

static void a_lock_held_by_a_stranger_is_waited_for_only_so_long(void **state)
{
	struct fixture *f = *state;
	sqlite3 *stranger = NULL;

	assert_int_equal(sqlite3_open(f->path, &stranger), SQLITE_OK);
	assert_int_equal(sqlite3_exec(stranger, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	FAILS(BERTH_E_UNAVAILABLE, store_begin(f->store, &err));
	FAILS(BERTH_E_UNAVAILABLE, store_set_setting(f->store, "a", "1", &err));
	assert_int_equal(store_health(f->store, NULL), 0);
	sqlite3_exec(stranger, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(stranger);
	OK(store_set_setting(f->store, "a", "1", &err));
}

static int run_check(struct store *s, bool with_indexes, struct berth_error *err)
{
	bool has_ended = false;
	int rc = store_check_start(s, with_indexes, err);

	while (!rc && !has_ended) {
		rc = store_check_end(s, &has_ended, err);
		usleep(1000);
	}
	return rc;
}

static void the_background_check_passes_a_good_store(void **state)
{
	struct fixture *f = *state;

	OK(run_check(f->store, false, &err));
	OK(run_check(f->store, true, &err));
	assert_int_equal(store_health(f->store, NULL), 0);
	OK(store_check_start(f->store, false, &err)); /* and closing joins it */
}

static void a_background_check_that_cannot_look_finds_no_damage(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, few;
	int next_fd = dup(0);

	assert_true(next_fd >= 0);
	close(next_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	/* The file itself can be opened, its log can't. */
	few = (struct rlimit){(rlim_t)next_fd + 1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct berth_error why = ERROR_INIT;
	int rc = run_check(f->store, false, &why);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(rc, BERTH_E_UNAVAILABLE);
	assert_int_equal(store_health(f->store, NULL), 0);
	OK(store_set_setting(f->store, "a", "1", &err));
	OK(run_check(f->store, false, &err));
}

static void the_background_check_finds_a_zeroed_page_and_ends_writes(void **state)
{
	static const char zeros[8192];
	struct fixture *f = *state;
	char name[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(store_begin(f->store, &err));
		OK(store_set_setting(f->store, name, name, &err));
		OK(store_commit(f->store, &err));
	}
	sqlite3_wal_checkpoint_v2(f->store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	/* Not through open and close: that would drop the store's own locks. */
	if (fork() == 0) {
		int fd = open(f->path, O_WRONLY | O_CLOEXEC);

		_exit(pwrite(fd, zeros, sizeof(zeros), 8192) != (ssize_t)sizeof(zeros));
	}
	wait(NULL);
	FAILS(BERTH_E_PROTOCOL, run_check(f->store, false, &err));
	FAILS(BERTH_E_PROTOCOL, store_set_setting(f->store, "a", "1", &err));
	FAILS(BERTH_E_PROTOCOL, store_probe(f->store, &err));
}

static void what_a_killed_writer_committed_is_there(void **state)
{
	struct fixture *f = *state;
	pid_t child;

	store_close(f->store);
	f->store = NULL;
	child = fork();
	if (!child) {
		struct berth_error err = ERROR_INIT;

		if (!fixture_open(f, &err) && !store_set_setting(f->store, "a", "1", &err))
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	OK(fixture_open(f, &err));
	assert_setting(f->store, "a", "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_committed_is_there_after_reopening),
		TEST(a_column_that_lacked_memory_is_a_loss),
		TEST(a_rollback_that_lacked_memory_spoils_what_is_around_it),
		TEST(the_file_is_private),
		TEST(an_inner_level_is_undone_alone),
		TEST(memory_does_not_grow_with_what_is_written),
		TEST(hooks_hear_of_commits_and_of_rollbacks),
		TEST(a_scope_left_early_rolls_back),
		TEST(numbers_are_never_given_twice),
		TEST(one_text_may_run_inside_itself),
		TEST(a_wrong_count_of_values_is_refused),
		TEST(every_text_prepares_and_is_named_once),
		TEST(every_table_lists_and_counts),
		TEST(a_second_daemon_is_refused),
		TEST(damage_to_the_file_is_seen_at_opening),
		TEST(random_bytes_are_not_a_store),
		TEST(a_newer_schema_is_left_alone),
		TEST(migrations_are_numbered_without_gaps),
		TEST(a_rest_of_an_unfinished_creation_is_no_hindrance),
		TEST(a_full_disk_stops_writes_until_space_returns),
		TEST(a_transaction_cut_by_a_full_disk_leaves_nothing),
		TEST(a_lock_held_by_a_stranger_is_waited_for_only_so_long),
		TEST(the_background_check_passes_a_good_store),
		TEST(a_background_check_that_cannot_look_finds_no_damage),
		TEST(the_background_check_finds_a_zeroed_page_and_ends_writes),
		TEST(what_a_killed_writer_committed_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
