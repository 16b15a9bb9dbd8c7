/* SPDX-License-Identifier: Apache-2.0 */
/* The user's file of contexts: "NAME = TARGET" lines under [contexts], and
 * "current = NAME" above. '#' begins a comment line.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "client/dial.h"
#include "core/base/text.h"

/* $XDG_CONFIG_HOME/berth/config, or ~/.config/berth/config; free(). NULL when
 * there is no home. */
static char *contexts_path(void)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	if (base && *base == '/')
		return text_printf("%s/berth/config", base);
	return home && *home == '/' ? text_printf("%s/.config/berth/config", home) : NULL;
}

bool context_target_ok(const char *target)
{
	if (!strncmp(target, "ssh://", 6))
		return target[6] && target[6] != '-' && target[6] != '/';
	if (!strncmp(target, "unix://", 7))
		target += 7;
	return *target == '/';
}

size_t contexts_find(const struct contexts *c, const char *name)
{
	size_t at = 0;
	while (at < c->count && strcmp(c->names[at], name) != 0)
		at++;
	return at;
}

void contexts_done(struct contexts *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->names[i]);
		free(c->targets[i]);
	}
	free(c->current);
	*c = (struct contexts){0};
}

static char *trim(char *s)
{
	size_t bytes;
	while (*s == ' ' || *s == '\t')
		s++;
	bytes = strlen(s);
	while (bytes && strchr(" \t\r\n", s[bytes - 1]))
		s[--bytes] = 0;
	return s;
}

/* One line of the file; NULL or what was expected. */
static const char *take_line(struct contexts *to, char *line, bool *is_in_list)
{
	char *key = trim(line);
	char *value = strchr(key, '=');
	if (!*key || *key == '#')
		return NULL;
	if (!strcmp(key, "[contexts]")) {
		*is_in_list = true;
		return NULL;
	}
	if (!value)
		return "expected KEY = VALUE";
	*value = 0;
	value = trim(value + 1);
	key = trim(key);
	if (!*is_in_list) {
		if (strcmp(key, "current") != 0)
			return "the only key above [contexts] is 'current'";
		free(to->current);
		to->current = strdup(value);
		return to->current ? NULL : "out of memory";
	}
	if (!text_is_name(key) || contexts_find(to, key) < to->count)
		return "expected a name of lower-case letters, digits, '.', '_', '-', once";
	if (!context_target_ok(value))
		return "expected a path, unix://PATH or ssh://HOST";
	if (to->count == CONTEXT_MAX)
		return "there are too many contexts";
	to->names[to->count] = strdup(key);
	to->targets[to->count] = strdup(value);
	return to->names[to->count] && to->targets[to->count++] ? NULL : "out of memory";
}

int contexts_load(struct contexts *to, struct berth_error *err)
{
	char line[4096];
	bool is_in_list = false;
	*to = (struct contexts){0};
	AUTO_FREE char *path = contexts_path();
	AUTO_FILE FILE *f = path ? fopen(path, "re") : NULL;
	if (!f && path && errno != ENOENT && errno != ENOTDIR)
		return berth_fail_errno(err, errno, "cannot read %s", path);
	for (unsigned number = 1; f && fgets(line, sizeof(line), f); number++) {
		const char *bad =
			number > 1000 ? "the file is too long" : take_line(to, line, &is_in_list);
		if (bad) {
			contexts_done(to);
			return berth_fail(err, BERTH_E_INVALID, "%s:%u: %s", path, number, bad);
		}
	}
	if (f && ferror(f)) {
		contexts_done(to);
		return berth_fail_errno(err, errno, "cannot read %s", path);
	}
	return 0;
}

static int make_folders(char *path, struct berth_error *err)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		int failed = mkdir(path, 0700) != 0 && errno != EEXIST;
		if (failed)
			berth_fail_errno(err, errno, "cannot make the folder %s", path);
		*at = '/';
		if (failed)
			return err->code;
	}
	return 0;
}

int contexts_store(const struct contexts *from, struct berth_error *err)
{
	AUTO_FREE char *path = contexts_path();
	AUTO_FREE char *fresh = path ? text_printf("%s.new", path) : NULL;
	if (!fresh)
		return berth_fail(err, BERTH_E_INVALID, "neither HOME nor XDG_CONFIG_HOME is set");
	int code = make_folders(path, err);
	if (code)
		return code;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f)
		return berth_fail_errno(err, errno, "cannot write %s", fresh);
	fputs("# Where berthctl finds berthd; written by `berthctl context`.\n", f);
	if (from->current)
		fprintf(f, "current = %s\n", from->current);
	fputs("\n[contexts]\n", f);
	for (size_t i = 0; i < from->count; i++)
		fprintf(f, "%s = %s\n", from->names[i], from->targets[i]);
	bool is_written = fflush(f) == 0 && fsync(fileno(f)) == 0;
	is_written = fclose(f) == 0 && is_written;
	if (!is_written || rename(fresh, path) != 0)
		return berth_fail_errno(err, errno, "cannot write %s", path);
	return 0;
}
