/* SPDX-License-Identifier: Apache-2.0 */
/* The spool of big blobs: what it gives back, and that it stays within its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "core/transfer/spool.h"

#define BLOB SPOOL_LEAST_BYTES

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/berth-spool-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

/* How many files there are; with set, each is that old. */
static unsigned count_files(time_t set)
{
	char path[400];
	unsigned n = 0;
	DIR *d = opendir(folder);
	for (struct dirent *e; (e = readdir(d));) {
		struct utimbuf at = {set, set};
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (set)
			assert_int_equal(utime(path, &at), 0);
		n++;
	}
	closedir(d);
	return n;
}

static int drop_folder(void **state)
{
	(void)state;
	return rmdir(folder); /* every test leaves it empty */
}

static struct spool *open_one(unsigned n, uint64_t max_bytes)
{
	struct berth_error err = ERROR_INIT;
	struct digest d;
	assert_int_equal(digest_of(DIGEST_SHA256, &n, sizeof n, &d, &err), 0);
	return spool_open(folder, &d, BLOB, max_bytes);
}

static void what_was_added_is_there_for_the_next_process(void **state)
{
	struct spool *s = open_one(1, 1 << 30);
	char bytes[8] = "";
	(void)state;
	assert_non_null(s);
	spool_add(s, 0, "0123", 4);
	spool_add(s, 2, "2345", 4); /* what it has is passed over */
	spool_add(s, 9, "9", 1);    /* no holes */
	assert_int_equal(spool_size(s), 6);
	spool_close(s, true);
	s = open_one(1, 1 << 30);
	assert_int_equal(spool_size(s), 6);
	assert_int_equal(spool_read(s, 2, bytes, sizeof bytes), 4);
	assert_memory_equal(bytes, "2345", 4);
	spool_empty(s);
	assert_int_equal(spool_size(s), 0);
	spool_close(s, false);
	assert_int_equal(count_files(0), 0);
}

static void one_process_has_it_alone(void **state)
{
	struct spool *s = open_one(1, 1 << 30);
	(void)state;
	assert_non_null(s);
	assert_null(open_one(1, 1 << 30));
	spool_close(s, false);
}

static void small_blobs_and_those_above_the_bound_have_none(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct digest d;
	(void)state;
	assert_null(open_one(1, BLOB - 1));
	assert_int_equal(digest_of(DIGEST_SHA256, "", 0, &d, &err), 0);
	assert_null(spool_open(folder, &d, SPOOL_LEAST_BYTES - 1, 1 << 30));
	assert_null(spool_open("/nonexistent/berth", &d, BLOB, 1 << 30));
	assert_int_equal(spool_size(NULL), 0);
	spool_add(NULL, 0, "", 0);
	spool_close(NULL, true);
}

static void the_oldest_that_nobody_uses_makes_room(void **state)
{
	struct spool *one = open_one(1, 2 * BLOB), *two = open_one(2, 2 * BLOB);
	(void)state;
	assert_non_null(one);
	assert_non_null(two);
	assert_null(open_one(3, 2 * BLOB)); /* both are in use */
	spool_add(one, 0, "one", 3);
	spool_close(one, true);
	assert_int_equal(count_files(1000000), 2);
	struct spool *three = open_one(3, 2 * BLOB);
	assert_non_null(three);
	assert_int_equal(count_files(0), 2);
	spool_close(two, false);
	one = open_one(1, 2 * BLOB);
	assert_int_equal(spool_size(one), 0);
	spool_close(one, false);
	spool_close(three, false);
}

static void one_that_is_longer_than_its_blob_is_emptied(void **state)
{
	struct spool *s = open_one(1, 1 << 30);
	char *bytes = calloc(1, (size_t)BLOB + 1);
	(void)state;
	spool_add(s, 0, bytes, (size_t)BLOB + 1);
	spool_close(s, true);
	s = open_one(1, 1 << 30);
	assert_int_equal(spool_size(s), 0);
	spool_close(s, false);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)
		TEST(what_was_added_is_there_for_the_next_process),
		TEST(one_process_has_it_alone),
		TEST(small_blobs_and_those_above_the_bound_have_none),
		TEST(the_oldest_that_nobody_uses_makes_room),
		TEST(one_that_is_longer_than_its_blob_is_emptied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
