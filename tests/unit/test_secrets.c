/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and the key's file (reference: faults 23 to 28). */
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>

#include "core/store/sqlite.h"

/* The allocation of libcrypto that fails, counted down; 0: none. */
static int crypto_left;

static void *crypto_malloc(size_t byte_count, const char *file, int line)
{
	(void)file;
	(void)line;
	if (!crypto_left || --crypto_left)
		return malloc(byte_count);
	errno = ENOMEM;
	return NULL;
}

static void *crypto_realloc(void *memory, size_t byte_count, const char *file, int line)
{
	(void)file;
	(void)line;
	if (!crypto_left || --crypto_left)
		return realloc(memory, byte_count);
	errno = ENOMEM;
	return NULL;
}

static void crypto_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

#define CANARY "canary-7f3a-password"

static struct sealer *open_sealer(struct fixture *f)
{
	struct sealer *sealer = NULL;

	OK(sealer_open(f->key, true, &sealer, &err));
	return sealer;
}

static void a_secret_comes_back_and_is_nowhere_in_the_file(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	AUTO_SECRET char *text = NULL;
	AUTO_FREE char *bytes = malloc(1 << 20);
	const char *const names[] = {"berth.db", "berth.db-wal"};

	OK(secret_store(f->store, sealer, "owner", "password", CANARY, &err));
	OK(secret_load(f->store, sealer, "owner", "password", &text, &err));
	assert_string_equal(text, CANARY);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char path[160];
		AUTO_FILE FILE *file = NULL;
		size_t count;

		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		file = fopen(path, "r");
		assert_non_null(file);
		count = fread(bytes, 1, 1 << 20, file);
		assert_int_not_equal(count, 0);
		assert_null(memmem(bytes, count, CANARY, strlen(CANARY)));
	}
}

static void what_is_not_set_is_null(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	struct secret_info info;
	char *text = NULL;

	OK(secret_load(f->store, sealer, "owner", "password", &text, &err));
	assert_null(text);
	OK(secret_info(f->store, "owner", "password", &info, &err));
	assert_false(info.set);
}

static void a_fingerprint_tells_equal_from_different(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	struct secret_info one, two, three;

	OK(secret_store(f->store, sealer, "a", "password", CANARY, &err));
	OK(secret_store(f->store, sealer, "b", "password", CANARY, &err));
	OK(secret_store(f->store, sealer, "c", "password", "other", &err));
	OK(secret_info(f->store, "a", "password", &one, &err));
	OK(secret_info(f->store, "b", "password", &two, &err));
	OK(secret_info(f->store, "c", "password", &three, &err));
	assert_true(one.set);
	assert_int_equal(strlen(one.fingerprint), 8);
	assert_string_equal(one.fingerprint, two.fingerprint);
	assert_string_not_equal(one.fingerprint, three.fingerprint);
}

static void one_text_is_sealed_differently_each_time(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	AUTO_BUF struct buf one = {.max = 1024}, two = {.max = 1024};

	OK(secret_seal(sealer, "row", CANARY, strlen(CANARY), &one, &err));
	OK(secret_seal(sealer, "row", CANARY, strlen(CANARY), &two, &err));
	assert_int_equal(one.byte_count, two.byte_count);
	assert_memory_not_equal(one.bytes, two.bytes, one.byte_count);
}

static void a_sealed_value_opens_in_its_own_row_only(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	AUTO_BUF struct buf sealed = {.max = 1024};
	char *text = NULL;

	OK(secret_seal(sealer, "row-1", CANARY, strlen(CANARY), &sealed, &err));
	FAILS(BERTH_E_DIGEST,
	      secret_unseal(sealer, "row-2", sealed.bytes, sealed.byte_count, &text, &err));
	assert_null(text);
}

static void every_flipped_bit_and_every_cut_is_seen(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	AUTO_BUF struct buf sealed = {.max = 1024};
	char *text = NULL;

	OK(secret_seal(sealer, "row", CANARY, strlen(CANARY), &sealed, &err));
	for (size_t i = 0; i < sealed.byte_count * 8; i++) {
		sealed.bytes[i / 8] = (char)(sealed.bytes[i / 8] ^ (1 << i % 8));
		FAILS(BERTH_E_DIGEST,
		      secret_unseal(sealer, "row", sealed.bytes, sealed.byte_count, &text, &err));
		sealed.bytes[i / 8] = (char)(sealed.bytes[i / 8] ^ (1 << i % 8));
	}
	for (size_t count = 0; count < sealed.byte_count; count++)
		FAILS(BERTH_E_DIGEST,
		      secret_unseal(sealer, "row", sealed.bytes, count, &text, &err));
	assert_null(text);
}

static void one_damaged_row_leaves_the_others(void **state)
{
	static const struct store_sql flip = {
		"flip", "UPDATE secrets SET sealed = SUBSTR(sealed, 1, LENGTH(sealed) - 1) || "
			"CASE SUBSTR(sealed, LENGTH(sealed), 1) WHEN ? THEN ? ELSE ? END "
			"WHERE owner = ?"};
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	AUTO_SECRET char *good = NULL;
	char *bad = NULL;

	OK(secret_store(f->store, sealer, "a", "password", CANARY, &err));
	OK(secret_store(f->store, sealer, "b", "password", CANARY, &err));
	OK(store_run(f->store, &flip,
		     VALUES(V_BLOB("", 1), V_BLOB("\1", 1), V_BLOB("", 1), V_TEXT("a")), NULL,
		     &err));
	FAILS(BERTH_E_DIGEST, secret_load(f->store, sealer, "a", "password", &bad, &err));
	OK(secret_load(f->store, sealer, "b", "password", &good, &err));
	assert_string_equal(good, CANARY);
}

static void without_a_key_sealed_parts_are_off(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	struct sealer *none = NULL;
	char *text = NULL;

	OK(secret_store(f->store, sealer, "a", "password", CANARY, &err));
	FAILS(BERTH_E_UNAVAILABLE, secret_load(f->store, NULL, "a", "password", &text, &err));
	FAILS(BERTH_E_UNAVAILABLE, secret_store(f->store, NULL, "b", "password", CANARY, &err));
	FAILS(BERTH_E_NOT_FOUND, sealer_open("/tmp/berth-no-such-key", false, &none, &err));
	assert_null(none);
}

static void another_key_is_refused_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *right = open_sealer(f), *wrong = NULL, *again = NULL;
	AUTO_SECRET char *text = NULL;
	char path[160];

	OK(store_check_key(f->store, right, &err));
	OK(secret_store(f->store, right, "a", "password", CANARY, &err));
	snprintf(path, sizeof(path), "%s/key.other", f->folder);
	OK(sealer_open(path, true, &wrong, &err));
	FAILS(BERTH_E_DENIED, store_check_key(f->store, wrong, &err));
	unlink(path);
	OK(sealer_open(f->key, false, &again, &err));
	OK(store_check_key(f->store, again, &err));
	OK(secret_load(f->store, again, "a", "password", &text, &err));
	assert_string_equal(text, CANARY);
}

static void a_new_key_is_private_and_stays(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *first = open_sealer(f), *second = open_sealer(f);
	struct stat st;
	char one[9], two[9];

	assert_int_equal(stat(f->key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	OK(secret_fingerprint(first, CANARY, one, &err));
	OK(secret_fingerprint(second, CANARY, two, &err));
	assert_string_equal(one, two);
}

static void write_key(struct fixture *f, const char *text, mode_t mode)
{
	int fd = open(f->key, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static void keys_that_others_read_or_that_are_none_are_refused(void **state)
{
	static const char good[] =
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
	struct fixture *f = *state;
	struct sealer *sealer = NULL;

	write_key(f, good, 0640);
	FAILS(BERTH_E_DENIED, sealer_open(f->key, true, &sealer, &err));
	write_key(f, "", 0600);
	FAILS(BERTH_E_INVALID, sealer_open(f->key, true, &sealer, &err));
	write_key(f, "not a key at all, though it has some length to it, and more......", 0600);
	FAILS(BERTH_E_INVALID, sealer_open(f->key, true, &sealer, &err));
	assert_null(sealer);
	write_key(f, good, 0600);
	OK(sealer_open(f->key, true, &sealer, &err));
	sealer_close(sealer);
}

static void an_empty_secret_is_a_secret(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	AUTO_SECRET char *text = NULL;

	OK(secret_store(f->store, sealer, "a", "password", "", &err));
	OK(secret_load(f->store, sealer, "a", "password", &text, &err));
	assert_string_equal(text, "");
}

/* Nobody is to set a password anew because memory was short for a moment. */
static void a_secret_that_memory_lacks_for_is_not_called_damaged(void **state)
{
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = open_sealer(f);
	int failed = 0;

	OK(secret_store(f->store, sealer, "owner", "password", CANARY, &err));
	for (int n = 1; n < 1000; n++) {
		AUTO_SECRET char *text = NULL;
		struct berth_error why = ERROR_INIT;
		crypto_left = n;
		int code = secret_load(f->store, sealer, "owner", "password", &text, &why);
		bool was_hit = !crypto_left;
		crypto_left = 0;
		assert_true(!code || (was_hit && code == BERTH_E_NO_MEMORY));
		failed += code != 0;
		if (!was_hit)
			break;
	}
	assert_true(failed > 0);
}

int main(void)
{
	if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
		return 1; /* it has begun to allocate */
	const struct CMUnitTest tests[] = {
		TEST(a_secret_comes_back_and_is_nowhere_in_the_file),
		TEST(what_is_not_set_is_null),
		TEST(a_secret_that_memory_lacks_for_is_not_called_damaged),
		TEST(a_fingerprint_tells_equal_from_different),
		TEST(one_text_is_sealed_differently_each_time),
		TEST(a_sealed_value_opens_in_its_own_row_only),
		TEST(every_flipped_bit_and_every_cut_is_seen),
		TEST(one_damaged_row_leaves_the_others),
		TEST(without_a_key_sealed_parts_are_off),
		TEST(another_key_is_refused_and_changes_nothing),
		TEST(a_new_key_is_private_and_stays),
		TEST(keys_that_others_read_or_that_are_none_are_refused),
		TEST(an_empty_secret_is_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
