/* SPDX-License-Identifier: Apache-2.0 */
/* The migrations, as built in: for migrate.c and for the tests. */
#ifndef CORE_STORE_MIGRATE_H
#define CORE_STORE_MIGRATE_H

#include "core/store/store.h"

struct store_migration {
	int number; /* 1, 2, 3 ... without gaps */
	const char *name, *text;
};
extern const struct store_migration store_migrations[]; /* ends with number 0 */

#endif
