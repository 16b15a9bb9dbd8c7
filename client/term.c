/* SPDX-License-Identifier: Apache-2.0 */
/* Terminal properties, harmless text and the pager. The escape set is what can
 * move the cursor, hide text or turn its direction: C0, DEL, C1, bidirectional
 * marks, zero-width characters, line separators, tags and private use.
 */
#include "client/term.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <wchar.h>

#include "core/base/js.h"
#include "core/base/text.h"

extern char **environ;

enum { ESCAPED_ROOM = 13 }; /* of one character, with the NUL */

static bool is_set(const char *name)
{
	const char *value = getenv(name);
	return value && *value;
}

static bool wants_colour(const struct term *t, const char *mode)
{
	const char *force = getenv("CLICOLOR_FORCE");
	if (!strcmp(mode, "always"))
		return true;
	if (!strcmp(mode, "never") || is_set("NO_COLOR"))
		return false;
	if (force && *force && strcmp(force, "0") != 0)
		return true;
	return t->is_tty;
}

static unsigned width_of(int fd)
{
	struct winsize size = {0};
	uint64_t columns;
	const char *given = getenv("COLUMNS");
	if (given && text_parse_u64(given, 20, 10000, &columns))
		return (unsigned)columns;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return 80;
}

void term_open(struct term *t, FILE *file, const char *colour)
{
	const char *kind = getenv("TERM");
	int fd = fileno(file);
	*t = (struct term){.file = file};
	bool is_terminal = fd >= 0 && isatty(fd);
	t->is_tty = is_terminal && !(kind && !strcmp(kind, "dumb"));
	t->is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8") || !is_terminal;
	t->width = is_terminal ? width_of(fd) : 0;
	t->is_colour = wants_colour(t, colour);
}

void term_measure(struct term *t)
{
	if (t->width)
		t->width = width_of(fileno(t->file));
}

bool term_is_hostile(unsigned c)
{
	static const struct {
		unsigned from, to;
	} ranges[] = {
		{0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},        {0x034F, 0x034F},
		{0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5},    {0x180B, 0x180E},
		{0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},    {0x3164, 0x3164},
		{0xD800, 0xF8FF}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},    {0xFFA0, 0xFFA0},
		{0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0x10FFFF},
	};
	for (size_t i = 0; i < ARRAY_COUNT(ranges); i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	return false;
}

size_t term_decode(const char *s, unsigned *ret)
{
	unsigned char first = (unsigned char)*s;
	size_t bytes = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
	if (strnlen(s, bytes) < bytes || !text_is_utf8(s, bytes))
		return 0;
	if (bytes == 1) {
		*ret = first;
		return 1;
	}
	unsigned c = first & (0xFFu >> (bytes + 1));
	for (size_t i = 1; i < bytes; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3Fu);
	*ret = c;
	return bytes;
}

/* Writes one character, as it is or escaped; returns what was written. */
static size_t escape_one(const struct term *t, const char *s, size_t bytes, unsigned c, char *to)
{
	bool is_plain = !term_is_hostile(c) && (c < 0x80 || t->is_utf8);
	if (is_plain) {
		for (size_t i = 0; i < bytes; i++)
			to[i] = s[i];
		return bytes;
	}
	return (size_t)snprintf(to, ESCAPED_ROOM, c > 0xFFFF ? "\\U%08X" : "\\u%04X", c);
}

/* The next character of *s, moved on behind it, as it is shown; returns how many bytes. */
static size_t escape_next(const struct term *t, const char **s, bool keep_newlines, char *to)
{
	const char *at = *s;
	unsigned c = 0;
	if (keep_newlines && (*at == '\n' || *at == '\t')) {
		*to = *at;
		*s += 1;
		return 1;
	}
	size_t bytes = term_decode(at, &c);
	*s += bytes ? bytes : 1;
	if (!bytes)
		return (size_t)snprintf(to, ESCAPED_ROOM, "\\u%04X", (unsigned char)*at);
	return escape_one(t, at, bytes, c, to);
}

char *term_escape(const struct term *t, const char *s, bool keep_newlines)
{
	char *to = malloc(strlen(s) * 7 + ESCAPED_ROOM), *w = to;
	if (!to)
		return NULL;
	while (*s)
		w += escape_next(t, &s, keep_newlines, w);
	*w = 0;
	return to;
}

const char *term_whole(const char *text)
{
	if (!text)
		js_lose();
	return text ? text : "";
}

size_t term_columns(const char *s)
{
	size_t columns = 0;
	while (*s) {
		unsigned c = 0;
		size_t bytes = term_decode(s, &c);
		int width = bytes ? wcwidth((wchar_t)c) : 1;
		columns += (size_t)(width < 0 ? 1 : width);
		s += bytes ? bytes : 1;
	}
	return columns;
}

const char *term_paint(const struct term *t, enum paint paint)
{
	static const char *const sequences[] = {"\x1b[0m",  "\x1b[1m",  "\x1b[2m",
						"\x1b[31m", "\x1b[32m", "\x1b[33m"};
	return t->is_colour ? sequences[paint] : "";
}

void term_put(const struct term *t, const char *s)
{
	char one[ESCAPED_ROOM];
	while (*s)
		fwrite(one, 1, escape_next(t, &s, true, one), t->file);
}

/* The pager's words; BERTH_PAGER= or PAGER=cat turn it off. No shell is asked:
 * the words are split at spaces. */
static size_t pager_words(char *line, char **words, size_t room)
{
	size_t count = 0;
	char *rest = NULL;
	for (char *w = strtok_r(line, " \t", &rest); w && count + 1 < room;
	     w = strtok_r(NULL, " \t", &rest))
		words[count++] = w;
	words[count] = NULL;
	return count;
}

static const int pager_signals[PAGER_SIGNAL_COUNT] = {SIGINT, SIGQUIT, SIGPIPE};

static void ignore_signals(struct pager *p)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	for (size_t i = 0; i < ARRAY_COUNT(pager_signals); i++)
		sigaction(pager_signals[i], &ignore, &p->before[i]);
}

static void restore_signals(const struct pager *p)
{
	for (size_t i = 0; i < ARRAY_COUNT(pager_signals); i++)
		sigaction(pager_signals[i], &p->before[i], NULL);
}

static int pager_spawn(char **words, int read_fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	if (posix_spawn_file_actions_init(&actions))
		return 0;
	if (posix_spawn_file_actions_adddup2(&actions, read_fd, 0) ||
	    posix_spawnp(&pid, words[0], &actions, NULL, words, environ))
		pid = 0;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

void term_pager_start(struct pager *p, struct term *t)
{
	const char *line = getenv("BERTH_PAGER");
	char *words[16];
	int ends[2];
	*p = (struct pager){0};
	if (!line)
		line = getenv("PAGER");
	AUTO_FREE char *copy = strdup(line ? line : "less -FRSX");
	if (!t->is_tty || !copy || !pager_words(copy, words, ARRAY_COUNT(words)))
		return;
	if (!strcmp(words[0], "cat") || pipe2(ends, O_CLOEXEC) != 0)
		return;
	p->file = fdopen(ends[1], "w");
	p->pid = p->file ? pager_spawn(words, ends[0]) : 0;
	close(ends[0]);
	if (!p->pid) {
		(void)(p->file ? fclose(p->file) : close(ends[1]));
		p->file = NULL;
		return;
	}
	ignore_signals(p);
	p->saved = t->file;
	t->file = p->file;
}

void term_pager_stop(struct pager *p, struct term *t)
{
	int status;
	if (!p->file)
		return;
	fclose(p->file);
	t->file = p->saved;
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	restore_signals(p);
	*p = (struct pager){0};
}
