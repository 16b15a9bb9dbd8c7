/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of plugins: list, try, load. See plugins.h. All trials run at once:
 * one that hangs costs the start its trial time, once.
 */
#include "core/worker/plugins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/process/loop.h"

#define DESCRIPTION_MAX_BYTES 61440 /* of a frame's 64 KiB */

struct trial {
	pid_t pid;
	int fd; /* the child's word: "ok", or the sentence */
};

static int is_object(const struct dirent *e)
{
	size_t byte_count = strlen(e->d_name);
	return e->d_name[0] != '.' && byte_count > 3 && !strcmp(e->d_name + byte_count - 3, ".so");
}

static int list_folder(const char *dir, struct plugin_set *set, struct berth_error *err)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_object, alphasort);
	if (count < 0)
		return berth_fail_errno(err, errno, "cannot list the plugin folder %s", dir);
	set->entries = calloc((size_t)count + 1, sizeof *set->entries);
	for (int i = 0; i < count; i++) {
		if (set->entries && set->entry_count < PLUGIN_MAX_COUNT)
			snprintf(set->entries[set->entry_count++].name, sizeof set->entries->name,
				 "%.*s", (int)strlen(names[i]->d_name) - 3, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (!set->entries)
		return berth_fail_memory(err);
	if (count > PLUGIN_MAX_COUNT)
		log_warning("the plugin folder %s has %d files, the first %d are taken", dir, count,
			    PLUGIN_MAX_COUNT);
	return 0;
}

static void sentence(const struct berth_error *err, char *to, size_t room)
{
	snprintf(to, room, "%s%s%s", err->message, err->cause[0] ? ": " : "", err->cause);
}

/* The child: what it loads is gone with it. Writing the word is all that it
 * can tell; where that fails the parent sees an end without a word. */
static _Noreturn void try_in_child(const char *dir, const char *name, int fd)
{
	struct berth_error err = ERROR_INIT;
	struct plugin *p = NULL;
	struct rlimit none = {0, 0};
	char word[800] = "ok";
	loop_unblock_signals();
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (plugin_load(dir, name, &p, &err))
		sentence(&err, word, sizeof word);
	ssize_t sent = write(fd, word, strlen(word));
	_exit(sent > 0 ? 0 : 1);
}

static int start_trial(const char *dir, const char *name, struct trial *t, struct berth_error *err)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC))
		return berth_fail_errno(err, errno, "cannot make a pipe");
	t->pid = fork();
	if (t->pid == 0)
		try_in_child(dir, name, pipe_fds[1]);
	close(pipe_fds[1]);
	t->fd = pipe_fds[0];
	if (t->pid > 0)
		return 0;
	close(t->fd);
	return berth_fail_errno(err, errno, "cannot start a process");
}

static void name_death(int status, char *to, size_t room)
{
	if (WIFSIGNALED(status))
		snprintf(to, room, "its constructor crashed with SIG%s",
			 sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(to, room, "its constructor ended the process with status %d",
			 WEXITSTATUS(status));
}

/* Waits for the child's word until due_ms; then it is killed in any case. */
static void end_trial(struct trial *t, uint64_t due_ms, uint32_t trial_ms, char *to, size_t room)
{
	uint64_t now = clock_monotonic_ms();
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	int ready = poll(&p, 1, due_ms > now ? (int)(due_ms - now) : 0);
	int status = 0;
	ssize_t got = ready > 0 ? read(t->fd, to, room - 1) : 0;
	close(t->fd);
	kill(t->pid, SIGKILL);
	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (got > 0)
		to[got] = 0;
	else if (ready > 0)
		name_death(status, to, room);
	else
		snprintf(to, room, "its constructor did not end within %u ms", trial_ms);
	if (got > 0 && !strcmp(to, "ok"))
		to[0] = 0;
}

static void try_all(const char *dir, uint32_t trial_ms, struct plugin_set *set)
{
	struct trial trials[PLUGIN_MAX_COUNT] = {0};
	struct berth_error err = ERROR_INIT;
	for (size_t i = 0; i < set->entry_count; i++)
		if (start_trial(dir, set->entries[i].name, &trials[i], &err))
			sentence(&err, set->entries[i].error, sizeof set->entries[i].error);
	uint64_t due_ms = clock_monotonic_ms() + trial_ms;
	for (size_t i = 0; i < set->entry_count; i++)
		if (trials[i].pid > 0)
			end_trial(&trials[i], due_ms, trial_ms, set->entries[i].error,
				  sizeof set->entries[i].error);
}

/* A plugin is shown as one frame: one that does not fit would keep the list of all
 * from being told. */
static int check_description(const struct plugin_entry *e, struct berth_error *err)
{
	AUTO_JSON json_t *described = plugin_describe(e);
	AUTO_FREE char *text = described ? js_text(described) : NULL;
	if (!text)
		return berth_fail_memory(err);
	if (strlen(text) > DESCRIPTION_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT,
				  "what it says of itself has more than %d bytes",
				  DESCRIPTION_MAX_BYTES);
	return 0;
}

static int load(const char *dir, struct plugin_entry *e, struct berth_error *err)
{
	int code = plugin_load(dir, e->name, &e->plugin, err);
	if (!code)
		code = check_description(e, err);
	if (code)
		e->plugin = NULL;
	return code;
}

int plugin_set_load(const char *dir, uint32_t trial_ms, struct plugin_set *ret,
		    struct berth_error *err)
{
	struct plugin_set set = {0};
	int code = list_folder(dir, &set, err);
	if (code)
		return code;
	try_all(dir, trial_ms, &set);
	for (size_t i = 0; i < set.entry_count; i++) {
		struct plugin_entry *e = &set.entries[i];
		struct berth_error why = ERROR_INIT;
		if (!e->error[0] && load(dir, e, &why))
			sentence(&why, e->error, sizeof e->error);
		text_blank_controls(e->error);
		text_trim_utf8(e->error);
		text_blank_controls(e->name);
		text_trim_utf8(e->name);
		if (e->plugin)
			log_info("loaded plugin %s %s", e->name, e->plugin->head.version);
		else
			log_error("plugin %s is not loaded: %s", e->name, e->error);
	}
	*ret = set;
	return 0;
}

void plugin_set_done(struct plugin_set *set)
{
	free(set->entries);
	*set = (struct plugin_set){0};
}

int plugin_set_find(const struct plugin_set *set, const char *name, const struct plugin **ret,
		    struct berth_error *err)
{
	for (size_t i = 0; i < set->entry_count; i++) {
		const struct plugin_entry *e = &set->entries[i];
		if (strcmp(e->name, name) != 0)
			continue;
		if (!e->plugin) {
			berth_fail(err, BERTH_E_UNAVAILABLE, "plugin %.32s is not loaded", name);
			return berth_cause(err, "%s", e->error);
		}
		*ret = e->plugin;
		return 0;
	}
	return berth_fail(err, BERTH_E_NOT_FOUND, "there is no plugin '%.32s'", name);
}
