/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: defaults, every kind of wrong file with its sentence, and
 * drop-ins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/conf/settings.h"

static int parse(const char *text, struct settings *s, struct berth_error *err)
{
	return settings_parse("f", text, strlen(text), s, err);
}

static void defaults_pass_their_own_checks(void **state)
{
	struct settings s, copy;
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(settings_init(&s, &err), 0);
	assert_int_equal(settings_init(&copy, &err), 0);
	for (const struct config_option *o = settings_options; o->section; o++) {
		AUTO_FREE char *text = NULL;
		const char *dot = strchr(o->section, '.');
		int top = dot ? (int)(dot - o->section) : (int)strlen(o->section);
		text = text_printf("%.*s: { %s%s%s = %s; %s};", top, o->section, dot ? dot + 1 : "",
				   dot ? ": { " : "", o->key, o->deflt, dot ? "}; " : "");
		if (parse(text, &copy, &err))
			fail_msg("%s: %s", text, err.message);
		assert_non_null(settings_section_help(o->section));
	}
	assert_int_equal(s.http.body_max_bytes, copy.http.body_max_bytes);
	assert_int_equal(s.jobs.memory_max_bytes, copy.jobs.memory_max_bytes);
	assert_int_equal(s.net.connect_ms, 10000);
	assert_int_equal(s.log_level, LOG_LEVEL_INFO);
	assert_true(s.platform.private_ok);
	assert_false(s.workspace.private_ok);
	settings_done(&s);
	settings_done(&copy);
}

static void wrong_texts_are_refused_with_file_and_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"http: { body_max_bytes = \"1\"; };",
		 "f:1: expected a whole number from 1024 to 67108864 bytes for http.body_max_bytes"},
		{"\nhttp: { body_max_bytes = 5; };",
		 "f:2: expected a whole number from 1024 to 67108864 bytes for http.body_max_bytes"},
		{"http: { body_max_bytes = 1.5; };",
		 "f:1: expected a whole number from 1024 to 67108864 bytes for http.body_max_bytes"},
		{"net: { tries = 99999999999L; };",
		 "f:1: expected a whole number from 1 to 20 for net.tries"},
		{"net: { tries = -1; };",
		 "f:1: expected a whole number from 1 to 20 for net.tries"},
		{"net: {\n connect_sm = 1; };",
		 "f:2: expected a known key, found net.connect_sm (did you mean net.connect_ms?)"},
		{"zzz: { };", "f:1: expected a known section, found zzz"},
		{"jbos: { tries = 1; };",
		 "f:1: expected a known section, found jbos (did you mean jobs?)"},
		{"networks: { platforn: { private = true; }; };",
		 "f:1: expected a known section, found networks.platforn (did you mean "
		 "networks.platform?)"},
		{"net = 5;", "f:1: expected a known key, found net"},
		{"daemon: { log_level = \"loud\"; };",
		 "f:1: expected \"error\", \"warning\", \"info\" or \"debug\" for daemon.log_level"},
		{"access: { admin_group = \"\"; };",
		 "f:1: expected a text of 1 to 63 bytes for access.admin_group"},
		{"networks: { platform: { private = 1; }; };",
		 "f:1: expected true or false for networks.platform.private"},
		{"networks: { platform: { allow = \"10.0.0.0/8\"; }; };",
		 "f:1: expected at most 256 networks, [ \"10.0.0.0/8\" ] for networks.platform.allow"},
		{"networks: { platform: { deny = [ \"10.0.0.1/8\" ]; }; };",
		 "f:1: expected networks such as \"10.0.0.0/8\" for networks.platform.deny"},
		{"net: {\n tries = ; };", "f:2: expected section: { key = value; }: syntax error"},
		{"net: { tries = 1; };\nnet: { tries = 2; };",
		 "f:2: expected section: { key = value; }: duplicate setting name"},
		{"\n  @include \"/etc/passwd\"\n",
		 "f:2: expected no @include; put the file into f.d"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct settings s;
		struct berth_error err = ERROR_INIT;
		assert_int_equal(settings_init(&s, &err), 0);
		assert_int_equal(parse(cases[i].text, &s, &err), BERTH_E_INVALID);
		assert_string_equal(err.message, cases[i].message);
		settings_done(&s);
	}
}

static void nul_byte_is_refused(void **state)
{
	struct settings s;
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(settings_init(&s, &err), 0);
	assert_int_equal(settings_parse("f", "net\0: {};", 9, &s, &err), BERTH_E_INVALID);
	assert_string_equal(err.message, "f:1: expected text, found a NUL byte");
}

static void right_text_sets_what_it_names_and_nothing_else(void **state)
{
	struct settings s;
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(settings_init(&s, &err), 0);
	assert_int_equal(
		parse("jobs: { memory_max_bytes = 8589934592L; };"
		      "networks: { workspace: { allow = [ \"10.1.0.0/16\", \"fd00::/8\" ]; }; };"
		      "daemon: { log_level = \"debug\"; };",
		      &s, &err),
		0);
	assert_true(s.jobs.memory_max_bytes == 8589934592ull);
	assert_int_equal(s.workspace.allow.item_count, 2);
	assert_string_equal(s.workspace.allow.items[1], "fd00::/8");
	assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(s.net.tries, 3);
	settings_done(&s);
}

/* Files */

struct folder {
	char path[64], file[96], dropins[96];
};

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int setup(void **state)
{
	struct folder *f = calloc(1, sizeof *f);
	snprintf(f->path, sizeof f->path, "/tmp/berth-settings-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	snprintf(f->file, sizeof f->file, "%s/berth.conf", f->path);
	snprintf(f->dropins, sizeof f->dropins, "%s.d", f->file);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct folder *f = *state;
	AUTO_FREE char *command = text_printf("rm -rf '%s'", f->path);
	int status = system(command);
	free(f);
	return status;
}

static void drop_ins_follow_in_name_order(void **state)
{
	struct folder *f = *state;
	struct settings s = {0};
	struct berth_error err = ERROR_INIT;
	char path[128];
	put(f->file, "net: { tries = 2; connect_ms = 100; };", 0600);
	assert_int_equal(mkdir(f->dropins, 0755), 0);
	snprintf(path, sizeof path, "%s/20-b.conf", f->dropins);
	put(path, "net: { tries = 7; };", 0644);
	snprintf(path, sizeof path, "%s/10-a.conf", f->dropins);
	put(path, "net: { tries = 5; backoff_ms = 9; };", 0644);
	snprintf(path, sizeof path, "%s/30-c.conf.bak", f->dropins);
	put(path, "not read", 0644);
	if (settings_load(f->file, &s, &err))
		fail_msg("%s", err.message);
	assert_int_equal(s.net.tries, 7);
	assert_int_equal(s.net.backoff_ms, 9);
	assert_int_equal(s.net.connect_ms, 100);
	settings_done(&s);
}

static void broken_file_leaves_the_old_settings_alone(void **state)
{
	struct folder *f = *state;
	struct settings s = {0};
	struct berth_error err = ERROR_INIT;
	put(f->file, "net: { tries = 2; };", 0600);
	assert_int_equal(settings_load(f->file, &s, &err), 0);
	put(f->file, "net: { connect_ms = 5; tries = 21; };", 0600);
	assert_int_equal(settings_load(f->file, &s, &err), BERTH_E_INVALID);
	assert_int_equal(s.net.tries, 2);
	assert_int_equal(s.net.connect_ms, 10000);
	settings_done(&s);
}

static void keys_that_contradict_each_other_are_named(void **state)
{
	struct folder *f = *state;
	struct berth_error err = ERROR_INIT;
	struct settings s;

	assert_int_equal(settings_init(&s, &err), 0);
	put(f->file, "jobs: { trial_ms = 4000; watchdog_ms = 3000; };", 0600);
	assert_int_equal(settings_load(f->file, &s, &err), BERTH_E_INVALID);
	assert_non_null(strstr(err.message, "jobs.trial_ms, which is 4000"));
	assert_non_null(strstr(err.message, "watchdog_ms, which is 3000"));
	put(f->file, "jobs: { restart_ms = 700; restart_max_ms = 600; };", 0600);
	assert_int_equal(settings_load(f->file, &s, &err), BERTH_E_INVALID);
	assert_non_null(strstr(err.message, "jobs.restart_ms, which is 700"));
	assert_non_null(strstr(err.message, "restart_max_ms, which is 600"));
	put(f->file, "jobs: { trial_ms = 3000; watchdog_ms = 3000; };", 0600);
	assert_int_equal(settings_load(f->file, &s, &err), 0);
	settings_done(&s);
}

static void file_of_a_wrong_kind_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		const char *text, *want;
	} cases[] = {
		{0620, "net: {};",
		 "expected a file that only its owner may write, found mode 0620"},
		{0602, "net: {};",
		 "expected a file that only its owner may write, found mode 0602"},
		{0600, "", "expected at least a comment, found an empty file"},
	};
	struct folder *f = *state;
	struct settings s = {0};
	struct berth_error err = ERROR_INIT;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		put(f->file, cases[i].text, cases[i].mode);
		assert_int_equal(settings_load(f->file, &s, &err), BERTH_E_INVALID);
		assert_non_null(strstr(err.message, cases[i].want));
		assert_non_null(strstr(err.message, "berth.conf:1: "));
	}
	assert_int_equal(settings_load(f->path, &s, &err), BERTH_E_INVALID);
	assert_non_null(strstr(err.message, ":1: expected a regular file"));
	snprintf(f->file, sizeof f->file, "%s/absent.conf", f->path);
	assert_int_equal(settings_load(f->file, &s, &err), BERTH_E_NOT_FOUND);
	assert_non_null(strstr(err.message, "absent.conf:1: cannot open the file"));
}

static void file_over_the_cap_is_refused(void **state)
{
	struct folder *f = *state;
	struct settings s = {0};
	struct berth_error err = ERROR_INIT;
	put(f->file, "#", 0600);
	assert_int_equal(truncate(f->file, 1024 * 1024 + 1), 0);
	assert_int_equal(settings_load(f->file, &s, &err), BERTH_E_INVALID);
	assert_non_null(strstr(err.message, ":1: expected at most 1 MiB, found 1048577"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_pass_their_own_checks),
		cmocka_unit_test(wrong_texts_are_refused_with_file_and_line),
		cmocka_unit_test(nul_byte_is_refused),
		cmocka_unit_test(right_text_sets_what_it_names_and_nothing_else),
		T(drop_ins_follow_in_name_order),
		T(broken_file_leaves_the_old_settings_alone),
		T(keys_that_contradict_each_other_are_named),
		T(file_of_a_wrong_kind_is_refused),
		T(file_over_the_cap_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
