/* SPDX-License-Identifier: Apache-2.0 */
/* Time and ids: the monotonic clock for deadlines, the real one for records,
 * RFC 3339 both ways, random bytes, UUIDs. Kept apart so that tests can wrap it.
 */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds: deadlines and durations. */
uint64_t clock_monotonic_ms(void);
/* The same in microseconds: for rates. */
uint64_t clock_monotonic_us(void);
/* Unix time in milliseconds: what is stored and shown. */
int64_t clock_unix_ms(void);

#define CLOCK_TEXT_ROOM 32
/* "2026-11-22T17:29:10.123Z"; to has CLOCK_TEXT_ROOM bytes. */
void clock_format(int64_t unix_ms, char *to);
/* Strict RFC 3339 with any offset; years 1 to 9999. */
bool clock_parse(const char *s, int64_t *ret_unix_ms);

/* The kernel's random bytes, for ids, keys and nonces. Can't fail and allocates
 * nothing: libcrypto's generator sets itself up at its first use, and version 3.0
 * crashes where there is no memory for that. */
void random_fill(void *to, size_t byte_count);

#define UUID_ROOM 37
/* A random (version 4) UUID, lower case, with its NUL. */
void uuid_make(char *to);
bool uuid_is(const char *s);

#endif
