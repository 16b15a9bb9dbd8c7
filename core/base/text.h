/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside: UTF-8 checks, control characters, names, hex, numbers.
 * Pure functions, no state, no memory but where said.
 */
#ifndef CORE_BASE_TEXT_H
#define CORE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/scope.h"

/* Is it well-formed UTF-8 (no overlong form, surrogate or value over 10FFFF)? */
bool text_is_utf8(const char *s, size_t byte_count);
/* Replaces controls (C0, DEL, C1), bidirectional and zero-width characters by
 * spaces, in place: what is left can't move a cursor or turn text around. */
void text_blank_controls(char *s);
/* Cuts an incomplete character off the end and blanks malformed bytes by '?'. */
void text_trim_utf8(char *s);
/* Convention 7: ^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$ */
bool text_is_name(const char *s);
/* The name of an integration: a name, or that of a workspace and a name with '~'
 * between, at most 63 bytes in all. A platform's name has none, so that the names of
 * one workspace never meet those of others. */
bool text_is_integration(const char *s);
/* The bytes of the workspace's name in it; 0: the platform's. */
size_t text_workspace_bytes(const char *integration);
/* ^[A-Za-z0-9_-]{1,64}$, the form of request ids. */
bool text_is_token(const char *s);
/* Whole decimal number in [min, max], nothing around it. */
bool text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value);
bool text_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret_value);
/* Lower-case hex of byte_count bytes; to has room for twice that and a NUL. */
void text_hex(const unsigned char *bytes, size_t byte_count, char *to);
bool text_unhex(const char *hex, unsigned char *to, size_t byte_count);
/* Glob of * (not /), ** (also /), ? and {a,b}; case counts; bounded work. */
bool text_glob(const char *pattern, const char *s);
/* A printf into new memory, freed by free(); NULL without memory. */
char *text_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2))) MUST_USE;
/* Puts a copy of text in place of *to, which is freed; false: no memory, and *to stays. */
MUST_USE bool text_replace(char **to, const char *text);
/* The word of candidates (ends with NULL) closest to s, or NULL where none is
 * within a third of its length: for "did you mean". */
const char *text_closest(const char *s, const char *const *candidates);
/* Percent-encodes all but unreserved characters; new memory or NULL. */
char *text_url_encode(const char *s) MUST_USE;
/* Decodes percent escapes strictly; false for a bad escape, NUL or invalid UTF-8. */
bool text_url_decode(const char *s, size_t byte_count, char *to, size_t room);

#endif
