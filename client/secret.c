/* SPDX-License-Identifier: Apache-2.0 */
/* Reading secrets and files with caps; prompts without echo; confirmations. */
#include "client/secret.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <termios.h>

#include "core/base/text.h"

/* Everything to the file's end; wiped as it grows, since it may be secret. */
static int read_all(FILE *f, size_t max, const char *name, char **ret, struct berth_error *err)
{
	char *bytes = malloc(max + 2);
	if (!bytes)
		return berth_fail_memory(err);
	size_t count = fread(bytes, 1, max + 1, f);
	bytes[count] = 0;
	int code = 0;
	if (ferror(f))
		code = berth_fail_errno(err, errno, "cannot read %s", name);
	else if (count > max)
		code = berth_fail(err, BERTH_E_LIMIT, "%s has over %zu bytes", name, max);
	else if (strlen(bytes) != count)
		code = berth_fail(err, BERTH_E_INVALID, "%s has a NUL byte", name);
	if (!code)
		*ret = strdup(bytes);
	if (!code && !*ret)
		code = berth_fail_memory(err);
	explicit_bzero(bytes, count);
	free(bytes);
	return code;
}

static int read_path(struct cli *c, const char *path, size_t max, char **ret,
		     struct berth_error *err)
{
	if (!strcmp(path, "-"))
		return read_all(c->in, max, "standard input", ret, err);
	AUTO_FILE FILE *f = fopen(path, "re");
	if (!f)
		return berth_fail_errno(err, errno, "cannot open %s", path);
	return read_all(f, max, path, ret, err);
}

int file_text(struct cli *c, const char *path, char **ret, struct berth_error *err)
{
	return read_path(c, path, FILE_BYTES_MAX, ret, err);
}

int secret_read(struct cli *c, const char *from, char **ret, struct berth_error *err)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	AUTO_FREE char *path = NULL;
	if (!strncmp(from, "credential:", 11)) {
		if (!folder || !*folder || !text_is_name(from + 11))
			return berth_fail(
				err, BERTH_E_NOT_FOUND,
				"there is no credential '%s': CREDENTIALS_DIRECTORY is %s",
				from + 11, folder && *folder ? folder : "not set");
		path = text_printf("%s/%s", folder, from + 11);
		if (!path)
			return berth_fail_memory(err);
	}
	int code = read_path(c, path ? path : from, SECRET_BYTES_MAX, ret, err);
	if (code || !*ret)
		return code;
	size_t bytes = strlen(*ret);
	if (bytes && (*ret)[bytes - 1] == '\n')
		(*ret)[--bytes] = 0;
	if (bytes && (*ret)[bytes - 1] == '\r')
		(*ret)[--bytes] = 0;
	return bytes ? 0 : berth_fail(err, BERTH_E_INVALID, "the secret is empty");
}

bool can_ask(const struct cli *c)
{
	return isatty(fileno(c->in)) && isatty(fileno(c->err.file));
}

/* The terminal as it was, for the handler: echo must come back when a prompt is
 * ended by a signal. Set while a prompt is open. */
static struct {
	struct termios before;
	int fd;
} prompt_terminal;

static void on_signal(int number)
{
	tcsetattr(prompt_terminal.fd, TCSAFLUSH, &prompt_terminal.before);
	signal(number, SIG_DFL);
	raise(number);
}

/* Reads a line with echo off; signals put it back first. */
static bool read_unseen(struct cli *c, const char *prompt, char *line, size_t room)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_signal}, old[ARRAY_COUNT(numbers)];
	struct termios quiet = prompt_terminal.before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		sigaction(numbers[i], &action, &old[i]);
	tcsetattr(prompt_terminal.fd, TCSAFLUSH, &quiet); /* first: nothing is echoed */
	fputs(prompt, c->err.file);
	fflush(c->err.file);
	bool is_read = fgets(line, (int)room, c->in) != NULL;
	tcsetattr(prompt_terminal.fd, TCSAFLUSH, &prompt_terminal.before);
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		sigaction(numbers[i], &old[i], NULL);
	fputc('\n', c->err.file);
	return is_read;
}

int secret_ask(struct cli *c, const char *prompt, char **ret, struct berth_error *err)
{
	char line[4096];
	prompt_terminal.fd = fileno(c->in);
	if (!can_ask(c) || tcgetattr(prompt_terminal.fd, &prompt_terminal.before) != 0)
		return berth_fail(err, BERTH_E_INVALID,
				  "a password is needed and there is no terminal to ask at");
	bool is_read = read_unseen(c, prompt, line, sizeof(line));
	line[is_read ? strcspn(line, "\r\n") : 0] = 0;
	*ret = *line ? strdup(line) : NULL;
	explicit_bzero(line, sizeof(line));
	return *ret ? 0 : berth_fail(err, BERTH_E_INVALID, "no password was typed");
}

bool ask_yes(struct cli *c, const char *what)
{
	char line[64];
	term_put(&c->err, what);
	fputs(" Go on? [y/N] ", c->err.file);
	fflush(c->err.file);
	if (!fgets(line, sizeof(line), c->in))
		return false;
	line[strcspn(line, "\r\n")] = 0;
	return !strcasecmp(line, "y") || !strcasecmp(line, "yes");
}

bool confirm(struct cli *c, const char *what, int *ret_exit)
{
	if (!what) {
		*ret_exit = cli_no_memory(c);
		return false;
	}
	if (cli_has(c, "dry-run") && (c->format == FORMAT_TABLE || c->format == FORMAT_WIDE))
		cli_note(c, "%s", what);
	if (cli_has(c, "yes") || cli_has(c, "dry-run"))
		return true;
	*ret_exit = EXIT_USAGE;
	if (!can_ask(c)) {
		cli_usage(c, "%s There is no terminal to ask at", what);
		cli_hint(c, "say --yes to mean it");
		return false;
	}
	if (ask_yes(c, what))
		return true;
	*ret_exit = EXIT_ERROR;
	cli_note(c, "nothing was changed");
	return false;
}
