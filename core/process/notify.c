/* SPDX-License-Identifier: Apache-2.0 */
/* See notify.h. The environment's NOTIFY_SOCKET stays set: the worker that a
 * private daemon starts is given an environment without it.
 */
#include "core/process/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "core/base/clock.h"

static struct loop_timer *watchdog_timer;
static uint64_t watchdog_ms;

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

/* MONOTONIC_USEC is what Type=notify-reload of systemd 253 wants to see. */
void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)clock_monotonic_ms() * 1000);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	char line[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	sd_notifyf(0, "STATUS=%s", line);
}

static void ping(void *user)
{
	(void)user;
	sd_notify(0, "WATCHDOG=1");
	loop_timer_set(watchdog_timer, watchdog_ms);
}

int notify_watchdog(struct loop *l, struct berth_error *err)
{
	uint64_t usec = 0;
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	int code = loop_timer_new(l, ping, NULL, &watchdog_timer, err);
	if (code)
		return code;
	watchdog_ms = usec / 3000 ? usec / 3000 : 1;
	ping(NULL);
	return 0;
}

int notify_listening(const char *name)
{
	char **names = NULL;
	int found = -1;
	int count = sd_listen_fds_with_names(0, &names);
	for (int i = 0; i < count; i++) {
		if (found < 0 && !strcmp(names[i], name))
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	return found;
}
