/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the databases that Berth's SQL runs on. Every text is
 * written once, in what both share; the few words that can't be are put in
 * here: the type of bytes (BERTH_BLOB) and how a parameter is written (?).
 */
#ifndef CORE_STORE_DIALECT_H
#define CORE_STORE_DIALECT_H

#include "core/base/buf.h"

enum dialect { DIALECT_SQLITE, DIALECT_POSTGRES };

/* Appends the text as that database reads it. Quoted strings stay untouched. */
MUST_USE int dialect_write(enum dialect dialect, const char *sql, struct buf *to,
			   struct berth_error *err);

#endif
