/* SPDX-License-Identifier: Apache-2.0 */
/* Start, signals and end of `berthd --hooks`: see hooks.h. */
#include "core/hooks/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/conf/settings.h"
#include "core/hooks/receive.h"
#include "core/process/notify.h"

#define PEM_MAX_BYTES 262144

struct hooks {
	struct settings settings;
	struct loop *loop;
	struct hook_secrets secrets;
	struct forward *forward;
	struct receiver *receiver;
};

static void see_term(void *user, int signo)
{
	struct hooks *h = user;

	(void)signo;
	notify_stopping();
	loop_stop(h->loop, EX_OK);
}

static void see_hup(void *user, int signo)
{
	struct hooks *h = user;
	struct hook_secrets fresh = {.items = NULL};
	struct berth_error err = ERROR_INIT;

	(void)signo;
	notify_reloading();
	if (hook_secrets_load(h->settings.hooks_secrets, &fresh, &err)) {
		log_error("the old secrets stay: %s", err.message);
	} else {
		hook_secrets_done(&h->secrets);
		h->secrets = fresh;
	}
	notify_ready();
}

static int read_pem(const char *key, const char *path, struct buf *to, struct berth_error *err)
{
	char some[4096];
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return berth_fail_errno(err, errno, "hooks.%s: cannot open %.200s", key, path);
	for (;;) {
		ssize_t n = read(fd, some, sizeof(some));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return berth_fail_errno(err, errno, "hooks.%s: cannot read %.200s", key,
						path);
		if (!n)
			return 0;
		if (buf_add(to, some, (size_t)n, err))
			return err->code;
	}
}

/* Before the port is open: whoever can connect can signal, too. */
static int watch_signals(struct hooks *h, struct berth_error *err)
{
	int code = loop_on_signal(h->loop, SIGTERM, see_term, h, err);

	if (!code)
		code = loop_on_signal(h->loop, SIGINT, see_term, h, err);
	if (!code)
		code = loop_on_signal(h->loop, SIGHUP, see_hup, h, err);
	return code ? code : notify_watchdog(h->loop, err);
}

static int check_settings(const struct settings *s, struct berth_error *err)
{
	const char *const values[][2] = {{"listen", s->hooks_listen},
					 {"certificate", s->hooks_certificate},
					 {"key", s->hooks_key},
					 {"secrets", s->hooks_secrets}};

	for (size_t i = 0; i < ARRAY_COUNT(values); i++)
		if (!*values[i][1])
			return berth_fail(err, BERTH_E_INVALID,
					  "the configuration says nothing of hooks.%s",
					  values[i][0]);
	return 0;
}

static int open_all(struct hooks *h, const struct hooks_options *o, struct berth_error *err)
{
	AUTO_BUF struct buf certificate = {.max = PEM_MAX_BYTES}, key = {.max = PEM_MAX_BYTES};
	const struct settings *s = &h->settings;

	if (check_settings(s, err) || hook_secrets_load(s->hooks_secrets, &h->secrets, err) ||
	    read_pem("certificate", s->hooks_certificate, &certificate, err) ||
	    read_pem("key", s->hooks_key, &key, err) || loop_new(&h->loop, err) ||
	    watch_signals(h, err) || forward_new(h->loop, o->control_socket, &h->forward, err))
		return err->code;
	struct receive_settings receive = {.loop = h->loop,
					   .listen = s->hooks_listen,
					   .certificate = buf_text(&certificate),
					   .key = buf_text(&key),
					   .secrets = &h->secrets,
					   .forward = h->forward};
	return receiver_new(&receive, &h->receiver, err);
}

static void close_all(struct hooks *h)
{
	receiver_free(h->receiver);
	forward_free(h->forward);
	hook_secrets_done(&h->secrets);
	loop_free(h->loop);
	settings_done(&h->settings);
}

int hooks_run(const struct hooks_options *o)
{
	struct hooks h = {.loop = NULL};
	struct rlimit none = {0, 0};
	struct berth_error err = ERROR_INIT;
	int status = EX_CONFIG;

	setrlimit(RLIMIT_CORE, &none); /* the key is in memory */
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!settings_load(o->config, &h.settings, &err) && !open_all(&h, o, &err)) {
		log_set_level(h.settings.log_level);
		notify_status("berthd --hooks " BERTH_VERSION ", %zu secrets", h.secrets.count);
		notify_ready();
		log_info("receives notifications at %s", h.settings.hooks_listen);
		status = loop_run(h.loop);
	} else {
		log_error("%s%s%s", err.message, err.cause[0] ? ": " : "", err.cause);
	}
	close_all(&h);
	return status;
}
