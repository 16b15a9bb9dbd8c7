/* SPDX-License-Identifier: Apache-2.0 */
/* The log: see log.h. State is the process's: ident, level, where lines go,
 * and the list of secrets. Written from the process's only thread.
 */
#include "core/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "core/base/clock.h"
#include "core/base/scope.h"
#include "core/base/text.h"

#define LINE_MAX_BYTES 2048
#define SECRET_MAX_COUNT 256

static const char *log_ident = "berth";
static int least = LOG_LEVEL_INFO;
static bool to_journal;
static char *secrets[SECRET_MAX_COUNT];
static size_t secret_count;

/* systemd sets JOURNAL_STREAM to the device and inode of the stream that it
 * connected to stderr; another stderr means that somebody redirected it. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char here[48];
	if (!stream || fstat(2, &st))
		return false;
	snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(stream, here);
}

void log_open(const char *ident, int level)
{
	log_ident = ident;
	least = level;
	to_journal = stderr_is_journal();
}

void log_set_level(int level)
{
	least = level;
}

int log_level(void)
{
	return least;
}

void log_add_secret(const char *secret)
{
	if (!secret || strlen(secret) < 4 || secret_count == SECRET_MAX_COUNT)
		return;
	for (size_t i = 0; i < secret_count; i++)
		if (!strcmp(secrets[i], secret))
			return;
	char *copy = strdup(secret);
	if (!copy)
		return;
	/* The longest first: one that is part of another must not break that one up. */
	size_t at = secret_count++;
	for (; at && strlen(secrets[at - 1]) < strlen(copy); at--)
		secrets[at] = secrets[at - 1];
	secrets[at] = copy;
}

void log_mask(char *s)
{
	for (size_t i = 0; i < secret_count; i++)
		for (char *at = s; (at = strstr(at, secrets[i]));)
			memset(at, '*', strlen(secrets[i]));
}

static void send_journal(int level, const struct log_context *c, const char *line)
{
	sd_journal_send("MESSAGE=%s", line, "PRIORITY=%d", level, "SYSLOG_IDENTIFIER=%s", log_ident,
			"BERTH_REQUEST_ID=%s", c && c->request ? c->request : "",
			"BERTH_OPERATION=%s", c && c->operation ? c->operation : "",
			"BERTH_INTEGRATION=%s", c && c->integration ? c->integration : "",
			"BERTH_JOB=%s", c && c->job ? c->job : "", NULL);
}

static void add_field(char *line, size_t room, const char *name, const char *value)
{
	size_t at = strlen(line);
	if (value)
		snprintf(line + at, room - at, "%s=%s ", name, value);
}

static void write_line(int level, const struct log_context *context, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
static void write_line(int level, const struct log_context *context, const char *fmt, va_list args)
{
	char line[LINE_MAX_BYTES] = "";
	if (context && !to_journal) {
		add_field(line, sizeof line, "integration", context->integration);
		add_field(line, sizeof line, "request", context->request);
		add_field(line, sizeof line, "operation", context->operation);
		add_field(line, sizeof line, "job", context->job);
	}
	size_t at = strlen(line);
	vsnprintf(line + at, sizeof line - at, fmt, args);
	text_blank_controls(line);
	text_trim_utf8(line);
	log_mask(line);
	if (to_journal)
		send_journal(level, context, line);
	else
		fprintf(stderr, "<%d>%s: %s\n", level, log_ident, line);
}

void log_line(int level, const struct log_context *context, const char *fmt, ...)
{
	va_list args;
	if (level > least)
		return;
	va_start(args, fmt);
	write_line(level, context, fmt, args);
	va_end(args);
}

void log_complain(struct log_complaint *c, const char *fmt, ...)
{
	uint64_t now = clock_monotonic_ms();
	va_list args;
	c->count++;
	if (c->gap_ms && now < c->next_ms)
		return;
	c->gap_ms = c->gap_ms ? c->gap_ms * 10 : 10000;
	if (c->gap_ms > 1000000)
		c->gap_ms = 1000000;
	c->next_ms = now + c->gap_ms;
	va_start(args, fmt);
	write_line(LOG_LEVEL_WARNING, NULL, fmt, args);
	va_end(args);
}

void log_calm(struct log_complaint *c, const char *fmt, ...)
{
	va_list args;
	if (!c->gap_ms)
		return;
	*c = (struct log_complaint){0};
	va_start(args, fmt);
	write_line(LOG_LEVEL_INFO, NULL, fmt, args);
	va_end(args);
}
