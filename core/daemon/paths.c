/* SPDX-License-Identifier: Apache-2.0 */
/* Where sockets, state, plugins and configuration are. The service's folders
 * are made by the service manager, never by us; those of a private daemon are
 * ours alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/daemon/start.h"

static int put(char *to, const char *dir, const char *name, struct berth_error *err)
{
	int want = snprintf(to, PATH_MAX, "%s%s%s", dir, name[0] ? "/" : "", name);
	if (want < 0 || want >= PATH_MAX)
		return berth_fail(err, BERTH_E_INVALID, "the path of %s is too long", name);
	return 0;
}

static int check_private(const char *dir, struct berth_error *err)
{
	struct stat st;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return berth_fail_errno(err, errno, "cannot make the state folder %.150s", dir);
	if (lstat(dir, &st))
		return berth_fail_errno(err, errno, "cannot look at the state folder %.150s", dir);
	if (!S_ISDIR(st.st_mode))
		return berth_fail(err, BERTH_E_INVALID, "%.200s is not a folder", dir);
	if (st.st_uid != geteuid())
		return berth_fail(err, BERTH_E_DENIED,
				  "the state folder %.150s belongs to user %u, not to user %u", dir,
				  st.st_uid, geteuid());
	if (st.st_mode & 077)
		return berth_fail(err, BERTH_E_DENIED,
				  "the state folder %.150s may be entered by others (mode %04o, "
				  "expected 0700)",
				  dir, st.st_mode & 07777);
	return 0;
}

/* An absolute path, so that a child with another folder finds it too. */
static int make_absolute(const char *path, char *to, struct berth_error *err)
{
	if (!realpath(path, to))
		return berth_fail_errno(err, errno, "cannot find %.200s", path);
	return 0;
}

static int private_paths(const char *dir, struct daemon_paths *p, struct berth_error *err)
{
	int code = check_private(dir, err);
	if (!code)
		code = make_absolute(dir, p->state_dir, err);
	if (!code)
		code = put(p->control_socket, p->state_dir, "berth.sock", err);
	if (!code)
		code = put(p->worker_socket, p->state_dir, "worker.sock", err);
	if (!code)
		code = put(p->store, p->state_dir, "berth.db", err);
	if (!code)
		code = put(p->cache_dir, p->state_dir, "cache", err);
	return code ? code : put(p->key, p->state_dir, "berth.key", err);
}

/* STATE_DIRECTORY, CACHE_DIRECTORY and CREDENTIALS_DIRECTORY are systemd's words
 * for where it put them. */
static int service_paths(struct daemon_paths *p, struct berth_error *err)
{
	const char *state = getenv("STATE_DIRECTORY");
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	const char *cache = getenv("CACHE_DIRECTORY");
	int code = put(p->state_dir, state && state[0] == '/' ? state : "/var/lib/berth", "", err);
	if (!code)
		code = put(p->control_socket, "/run/berth", "berth.sock", err);
	if (!code)
		code = put(p->worker_socket, "/run/berth", "worker.sock", err);
	if (!code)
		code = put(p->store, p->state_dir, "berth.db", err);
	if (!code && cache && cache[0] == '/')
		code = put(p->cache_dir, cache, "", err);
	if (!code && credentials && credentials[0] == '/')
		code = put(p->key, credentials, "master-key", err);
	return code;
}

int paths_init(const struct start_options *o, struct daemon_paths *ret, struct berth_error *err)
{
	struct daemon_paths p = {0};
	int code = o->state_dir ? private_paths(o->state_dir, &p, err) : service_paths(&p, err);
	if (code)
		return code;
	if (o->config)
		code = put(p.config, o->config, "", err);
	else if (!o->state_dir)
		code = put(p.config, BERTH_SYSCONFDIR "/berth", "berth.conf", err);
	if (!code)
		code = put(p.plugin_dir, o->plugin_dir ? o->plugin_dir : BERTH_PLUGINDIR, "", err);
	if (!code)
		*ret = p;
	return code;
}
