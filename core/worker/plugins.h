/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins of one folder: each tried in a child first, so that one whose
 * constructor crashes or hangs is marked bad and the rest load. Runs in the
 * worker's parent; jobs inherit the set.
 */
#ifndef CORE_WORKER_PLUGINS_H
#define CORE_WORKER_PLUGINS_H

#include <jansson.h>

#include "core/worker/loader.h"

#define PLUGIN_MAX_COUNT 64

struct plugin_entry {
	char name[256];        /* the file's, without .so; legal where plugin is set */
	struct plugin *plugin; /* NULL: bad */
	char error[800];       /* why: one sentence; empty where plugin is set */
};
struct plugin_set {
	struct plugin_entry *entries; /* by name */
	size_t entry_count;
};

/* Tries and loads every *.so of dir. A bad one is an entry with its reason and
 * a line in the log. BERTH_E_*: the folder can't be read. Call it again to
 * load what was replaced; the old set stays valid for whoever has it. */
MUST_USE int plugin_set_load(const char *dir, uint32_t trial_ms, struct plugin_set *ret,
			     struct berth_error *err);
void plugin_set_done(struct plugin_set *set); /* the plugins themselves stay loaded */
/* BERTH_E_NOT_FOUND, or BERTH_E_UNAVAILABLE with the reason of a bad one. */
MUST_USE int plugin_set_find(const struct plugin_set *set, const char *name,
			     const struct plugin **ret, struct berth_error *err);

/* {"name","file","ok","error"?,"version","abi","summary","options":[..],"tables":{..}} */
json_t *plugin_describe(const struct plugin_entry *entry) MUST_USE;

/* Every slot of the four op tables: what is asked of a plugin, by name. */
struct plugin_slot {
	const char *table, *name;
	size_t offset; /* of the pointer in struct plugin */
};
extern const struct plugin_slot plugin_slots[]; /* ends with a NULL table */
bool plugin_has(const struct plugin *p, const struct plugin_slot *slot);

#endif
