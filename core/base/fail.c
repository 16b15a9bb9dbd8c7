/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: filling, wrapping, and the tables between codes, their names, errno
 * and HTTP. Text from outside is made harmless here, once: one line, no
 * control characters, cut at a whole UTF-8 character.
 */
#include "core/base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

static const struct {
	int code;
	const char *name;
} names[] = {
	{BERTH_OK, "ok"},
	{BERTH_E_INVALID, "invalid"},
	{BERTH_E_NOT_FOUND, "not-found"},
	{BERTH_E_CONFLICT, "conflict"},
	{BERTH_E_AUTH, "auth"},
	{BERTH_E_DENIED, "denied"},
	{BERTH_E_UNAVAILABLE, "unavailable"},
	{BERTH_E_TIMEOUT, "timeout"},
	{BERTH_E_CANCELLED, "cancelled"},
	{BERTH_E_UNSUPPORTED, "unsupported"},
	{BERTH_E_PROTOCOL, "protocol"},
	{BERTH_E_NO_MEMORY, "no-memory"},
	{BERTH_E_INTERNAL, "internal"},
	{BERTH_E_LIMIT, "limit"},
	{BERTH_E_TLS, "tls"},
	{BERTH_E_DIGEST, "digest"},
	{BERTH_E_THROTTLED, "throttled"},
	{BERTH_E_QUOTA, "quota"},
	{BERTH_E_READ_ONLY, "read-only"},
	{BERTH_E_ADDRESS, "address"},
};

static const struct {
	int errnum, code;
} errnos[] = {
	{ENOENT, BERTH_E_NOT_FOUND},
	{EEXIST, BERTH_E_CONFLICT},
	{EACCES, BERTH_E_DENIED},
	{EPERM, BERTH_E_DENIED},
	{ENOMEM, BERTH_E_NO_MEMORY},
	{ETIMEDOUT, BERTH_E_TIMEOUT},
	{ECONNREFUSED, BERTH_E_UNAVAILABLE},
	{ECONNRESET, BERTH_E_UNAVAILABLE},
	{EPIPE, BERTH_E_UNAVAILABLE},
	{EHOSTUNREACH, BERTH_E_UNAVAILABLE},
	{ENETUNREACH, BERTH_E_UNAVAILABLE},
	{ENOSPC, BERTH_E_QUOTA},
	{EDQUOT, BERTH_E_QUOTA},
	{EROFS, BERTH_E_READ_ONLY},
	{EINVAL, BERTH_E_INVALID},
	{EFBIG, BERTH_E_LIMIT},
};

static const struct {
	int status, code;
} statuses[] = {
	{400, BERTH_E_INVALID},     {401, BERTH_E_AUTH},        {403, BERTH_E_DENIED},
	{404, BERTH_E_NOT_FOUND},   {405, BERTH_E_UNSUPPORTED}, {408, BERTH_E_TIMEOUT},
	{409, BERTH_E_CONFLICT},    {412, BERTH_E_CONFLICT},    {413, BERTH_E_LIMIT},
	{416, BERTH_E_INVALID},     {422, BERTH_E_INVALID},     {423, BERTH_E_CONFLICT},
	{429, BERTH_E_THROTTLED},   {501, BERTH_E_UNSUPPORTED}, {502, BERTH_E_UNAVAILABLE},
	{503, BERTH_E_UNAVAILABLE}, {504, BERTH_E_TIMEOUT},     {507, BERTH_E_QUOTA},
};

static void fill(char *to, size_t room, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
static void fill(char *to, size_t room, const char *fmt, va_list args)
{
	int want = vsnprintf(to, room, fmt, args);
	if (want < 0)
		to[0] = 0;
	text_blank_controls(to);
	text_trim_utf8(to);
}

static void start(struct berth_error *err, int code, uint32_t from, int upstream)
{
	err->code = code;
	err->from = from;
	err->upstream = upstream;
	err->retry_ms = 0;
	err->cause[0] = 0;
}

int berth_fail(struct berth_error *err, int code, const char *fmt, ...)
{
	va_list args;
	start(err, code, BERTH_FROM_NONE, 0);
	va_start(args, fmt);
	fill(err->message, sizeof err->message, fmt, args);
	va_end(args);
	return code;
}

int berth_fail_errno(struct berth_error *err, int errnum, const char *fmt, ...)
{
	va_list args;
	int code = BERTH_E_INTERNAL;
	for (size_t i = 0; i < ARRAY_COUNT(errnos); i++)
		if (errnos[i].errnum == errnum)
			code = errnos[i].code;
	start(err, code, BERTH_FROM_ERRNO, errnum);
	va_start(args, fmt);
	fill(err->message, sizeof err->message, fmt, args);
	va_end(args);
	return berth_cause(err, "%s", strerror(errnum));
}

/* The BERTH_E_* that an HTTP status of an upstream means; 0 for 2xx and 3xx. */
static int berth_code_of_http(int status)
{
	if (status >= 200 && status < 400)
		return BERTH_OK;
	for (size_t i = 0; i < ARRAY_COUNT(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].code;
	return status >= 500 ? BERTH_E_UNAVAILABLE : BERTH_E_PROTOCOL;
}

int berth_fail_http(struct berth_error *err, int status, const char *fmt, ...)
{
	va_list args;
	int code = berth_code_of_http(status);
	start(err, code ? code : BERTH_E_PROTOCOL, BERTH_FROM_HTTP, status);
	va_start(args, fmt);
	fill(err->message, sizeof err->message, fmt, args);
	va_end(args);
	return berth_cause(err, "HTTP %d", status);
}

int berth_fail_memory(struct berth_error *err)
{
	return berth_fail(err, BERTH_E_NO_MEMORY, "out of memory");
}

int berth_cause(struct berth_error *err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fill(err->cause, sizeof err->cause, fmt, args);
	va_end(args);
	return err->code;
}

int berth_wrap(struct berth_error *err, const char *fmt, ...)
{
	char cause[sizeof err->cause];
	va_list args;

	if (err->cause[0])
		snprintf(cause, sizeof cause, "%.*s: %.*s", (int)sizeof err->message - 1,
			 err->message, (int)sizeof cause - 1, err->cause);
	else
		snprintf(cause, sizeof cause, "%.*s", (int)sizeof err->message - 1, err->message);
	va_start(args, fmt);
	fill(err->message, sizeof err->message, fmt, args);
	va_end(args);
	return berth_cause(err, "%s", cause);
}

const char *berth_code_name(int code)
{
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return "internal";
}

int berth_code_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (!strcmp(names[i].name, name))
			return names[i].code;
	return 0;
}
