/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line an event, to journald with fields where it is there, else
 * to stderr with <N> prefixes. Secrets registered here are masked in every
 * line. Log or return an error, never both.
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdint.h>

enum { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* What a line belongs to; NULL members are left out. */
struct log_context {
	const char *request, *operation, *integration, *job;
};

/* ident: "berthd" or "berth-worker". level: the least that is written. */
void log_open(const char *ident, int level);
void log_set_level(int level);
int log_level(void);
void log_line(int level, const struct log_context *context, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define log_error(...) log_line(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

/* Mask this text from now on, in log lines and by log_mask. Texts shorter than
 * 4 bytes are not masked (they would blank ordinary words). At most 256. */
void log_add_secret(const char *secret);
/* Replaces every registered secret in s by asterisks, in place. */
void log_mask(char *s);

/* A complaint that may repeat: written at once, then at 10 s, 100 s, 1000 s
 * gaps with a count; log_calm writes one line of recovery if it had begun. */
struct log_complaint {
	uint64_t next_ms, gap_ms, count;
};
void log_complain(struct log_complaint *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_calm(struct log_complaint *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
