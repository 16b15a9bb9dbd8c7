/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of open uploads: what is read back, what is dropped, and that a
 * power cut between any two writes leaves nothing that was never written. The cut
 * is played by hand: of the pages written since the last sync, each subset gets
 * through, and one of them by half.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "core/transfer/journal.h"

#define PAGE 4096
#define IMAGE_BYTES ((size_t)PAGE * 16)
#define WRITES 5

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/berth-journal-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/copy-run.journal", folder);
	return 0;
}

static int drop_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static struct journal *open_as(const char *identity)
{
	struct berth_error err = ERROR_INIT;
	struct journal *j = NULL;
	assert_int_equal(journal_open(folder, "run", identity, &j, &err), 0);
	return j;
}

/* An entry that differs from all others in every member. */
static struct journal_entry entry(unsigned n)
{
	struct journal_entry e = {.byte_count = 1000 + (int64_t)n, .mark_count = n % JOURNAL_MARKS};
	struct berth_error err = ERROR_INIT;
	assert_int_equal(digest_of(DIGEST_SHA256, &n, sizeof n, &e.digest, &err), 0);
	snprintf(e.repository, sizeof e.repository, "app/%u", n);
	snprintf(e.session, sizeof e.session, "https://r.example/v2/app/%u/blobs/uploads/x", n);
	for (unsigned i = 0; i < e.mark_count; i++) {
		e.marks[i].offset = (int64_t)(n * 100 + i);
		memset(e.marks[i].state, (int)(n + i), sizeof e.marks[i].state);
	}
	return e;
}

static bool is_entry(const struct journal_entry *is, unsigned n)
{
	struct journal_entry want = entry(n);
	return digest_equal(&is->digest, &want.digest) && is->byte_count == want.byte_count &&
	       !strcmp(is->repository, want.repository) && !strcmp(is->session, want.session) &&
	       is->mark_count == want.mark_count &&
	       !memcmp(is->marks, want.marks, want.mark_count * sizeof want.marks[0]);
}

static struct journal_entry *take_any(struct journal *j)
{
	int slot = -1;
	return journal_take(j, NULL, NULL, &slot);
}

static void an_open_upload_is_found_by_the_next_process(void **state)
{
	struct journal *j = open_as("rule");
	struct journal_entry one = entry(1), two = entry(2), newer = entry(3);
	int first = -1, second = -1, slot = -1;
	(void)state;
	journal_put(j, &first, &one);
	journal_put(j, &second, &two);
	journal_put(j, &first, &newer);
	journal_close(j, true);
	j = open_as("rule");
	assert_null(journal_dropped(j));
	assert_null(journal_take(j, "app/2", &one.digest, &slot));
	assert_null(journal_take(j, "app/1", &two.digest, &slot));
	struct journal_entry *e = journal_take(j, "app/3", &newer.digest, &slot);
	assert_non_null(e);
	assert_true(is_entry(e, 3));
	assert_int_equal(slot, first);
	free(e);
	assert_null(journal_take(j, "app/3", &newer.digest, &slot));
	e = take_any(j);
	assert_true(e && is_entry(e, 2));
	free(e);
	assert_null(take_any(j));
	journal_close(j, false);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void what_was_taken_stays_until_it_is_cleared(void **state)
{
	struct journal *j = open_as("rule");
	struct journal_entry one = entry(1);
	int slot = -1;
	(void)state;
	journal_put(j, &slot, &one);
	journal_close(j, true);
	for (int round = 0; round < 2; round++) {
		j = open_as("rule");
		free(journal_take(j, "app/1", &one.digest, &slot));
		assert_int_not_equal(slot, -1);
		if (round)
			journal_clear(j, &slot);
		journal_close(j, true);
		slot = -1;
	}
	j = open_as("rule");
	assert_null(take_any(j));
	journal_close(j, true);
}

static void a_journal_of_another_rule_is_dropped_and_says_so(void **state)
{
	struct journal *j = open_as("rule");
	struct journal_entry one = entry(1);
	int slot = -1;
	(void)state;
	assert_null(journal_dropped(j));
	journal_put(j, &slot, &one);
	journal_close(j, true);
	j = open_as("another rule");
	assert_non_null(strstr(journal_dropped(j), "another rule"));
	assert_null(take_any(j));
	journal_close(j, true);
	j = open_as("rule");
	assert_null(take_any(j));
	journal_close(j, true);
}

static void a_damaged_journal_is_dropped_and_says_so(void **state)
{
	struct journal *j = open_as("rule");
	(void)state;
	journal_close(j, true);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "damage", 6, 20), 6);
	close(fd);
	j = open_as("rule");
	assert_non_null(journal_dropped(j));
	journal_close(j, true);
}

static void its_size_does_not_grow(void **state)
{
	struct journal *j = open_as("rule");
	int slots[JOURNAL_SLOTS + 1];
	struct stat st;
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i <= JOURNAL_SLOTS; i++) {
			struct journal_entry e = entry(i + round);
			slots[i] = round ? slots[i] : -1;
			journal_put(j, &slots[i], &e);
		}
		assert_int_equal(slots[JOURNAL_SLOTS], -1); /* full: nothing is written */
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= (off_t)PAGE * (1 + 2 * JOURNAL_SLOTS));
	journal_close(j, true);
}

static void a_name_with_a_slash_is_refused(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct journal *j = NULL;
	(void)state;
	assert_int_equal(journal_open(folder, "../run", "rule", &j, &err), BERTH_E_INVALID);
	assert_int_equal(journal_open(folder, "", "rule", &j, &err), BERTH_E_INVALID);
}

static void two_processes_never_share_one(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct journal *j = open_as("rule"), *other = NULL;
	(void)state;
	assert_int_equal(journal_open(folder, "run", "rule", &other, &err), BERTH_E_CONFLICT);
	journal_close(j, true);
}

static void one_that_nobody_came_back_for_is_removed(void **state)
{
	char old[160];
	struct utimbuf long_ago = {1000000, 1000000};
	(void)state;
	snprintf(old, sizeof old, "%s/copy-old.journal", folder);
	int fd = open(old, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(utime(old, &long_ago), 0);
	journal_close(open_as("rule"), true);
	assert_int_not_equal(access(old, F_OK), 0);
}

/* --- the power cut --- */

struct image {
	unsigned char bytes[IMAGE_BYTES];
};

static struct image *read_image(void)
{
	struct image *i = calloc(1, sizeof *i);
	int fd = open(path, O_RDONLY);
	assert_non_null(i);
	assert_true(pread(fd, i->bytes, sizeof i->bytes, 0) > 0);
	close(fd);
	return i;
}

static void write_image(const struct image *i)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(pwrite(fd, i->bytes, sizeof i->bytes, 0), (ssize_t)sizeof i->bytes);
	close(fd);
}

/* Copies to `to` the pages in which `from` differs from `before`, at most the first
 * byte_count bytes of each. */
static void apply(struct image *to, const struct image *before, const struct image *from,
		  size_t byte_count)
{
	for (size_t p = 0; p < IMAGE_BYTES; p += PAGE)
		if (memcmp(before->bytes + p, from->bytes + p, PAGE) != 0)
			memcpy(to->bytes + p, from->bytes + p, byte_count);
}

/* Every entry that is read was once put; ret: a set of them. */
static unsigned read_after_cut(const struct image *disk)
{
	unsigned found = 0;
	write_image(disk);
	struct journal *j = open_as("rule");
	for (struct journal_entry *e; (e = take_any(j)); free(e)) {
		unsigned n = 0;
		while (n < 10 && !is_entry(e, n))
			n++;
		assert_true(n < 10);
		found |= 1u << n;
	}
	journal_close(j, true);
	return found;
}

static void a_power_cut_leaves_only_what_was_once_written(void **state)
{
	struct image *at[WRITES + 1];
	struct journal *j = open_as("rule");
	int first = -1, second = -1;
	struct journal_entry e = entry(0);
	(void)state;
	journal_put(j, &first, &e);
	e = entry(1);
	journal_put(j, &second, &e);
	journal_tick(j, 1u << 20);
	at[0] = read_image(); /* this is on the disk; the rest may be */
	for (unsigned i = 1; i <= WRITES; i++) {
		e = entry(1 + i);
		if (i == 3)
			journal_clear(j, &second);
		else
			journal_put(j, i % 2 ? &first : &second, &e);
		at[i] = read_image();
	}
	journal_close(j, true);
	assert_int_equal(read_after_cut(at[0]), 1u << 0 | 1u << 1);
	assert_int_equal(read_after_cut(at[WRITES]), 1u << 5 | 1u << 6);
	for (unsigned set = 0; set < 1u << WRITES; set++) {
		for (unsigned torn = 0; torn <= WRITES; torn++) {
			struct image disk = *at[0];
			for (unsigned i = 1; i <= WRITES; i++)
				if (set & 1u << (i - 1))
					apply(&disk, at[i - 1], at[i], i == torn ? 512 : PAGE);
			read_after_cut(&disk);
		}
	}
	for (unsigned i = 0; i <= WRITES; i++)
		free(at[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)
		TEST(an_open_upload_is_found_by_the_next_process),
		TEST(what_was_taken_stays_until_it_is_cleared),
		TEST(a_journal_of_another_rule_is_dropped_and_says_so),
		TEST(a_damaged_journal_is_dropped_and_says_so),
		TEST(its_size_does_not_grow),
		TEST(a_name_with_a_slash_is_refused),
		TEST(two_processes_never_share_one),
		TEST(one_that_nobody_came_back_for_is_removed),
		TEST(a_power_cut_leaves_only_what_was_once_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
