/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of the op tables by name, and a plugin's description made of them:
 * what `berthctl plugin list` shows. Presence is capability.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/worker/plugins.h"

#define SLOT(table, slot)                                                                          \
	{                                                                                          \
#table, #slot, offsetof(struct plugin, table.slot)                                 \
	}

const struct plugin_slot plugin_slots[] = {
	SLOT(lifecycle, validate),
	SLOT(lifecycle, plan),
	SLOT(lifecycle, apply),
	SLOT(lifecycle, remove),
	SLOT(lifecycle, status),
	SLOT(lifecycle, act),
	SLOT(integration, probe),
	SLOT(integration, overview),
	SLOT(integration, spaces),
	SLOT(integration, space_create),
	SLOT(integration, space_update),
	SLOT(integration, space_delete),
	SLOT(integration, repositories),
	SLOT(integration, tags),
	SLOT(integration, resolve),
	SLOT(integration, artifact),
	SLOT(integration, tag_delete),
	SLOT(integration, artifact_delete),
	SLOT(integration, repository_delete),
	SLOT(integration, describe),
	SLOT(integration, login_create),
	SLOT(integration, login_list),
	SLOT(integration, login_revoke),
	SLOT(integration, retention_get),
	SLOT(integration, retention_set),
	SLOT(integration, retention_run),
	SLOT(integration, retention_runs),
	SLOT(integration, maintain),
	SLOT(integration, oci_endpoint),
	SLOT(sync, plan),
	SLOT(sync, prepare),
	SLOT(sync, run),
	SLOT(sync, status),
	SLOT(sync, cancel),
	SLOT(sync, log),
	SLOT(sync, remove),
	SLOT(scan, scanners),
	SLOT(scan, start),
	SLOT(scan, status),
	SLOT(scan, stop),
	SLOT(scan, report),
	SLOT(scan, log),
	SLOT(scan, configure),
	SLOT(scan, database_update),
	{NULL, NULL, 0},
};

bool plugin_has(const struct plugin *p, const struct plugin_slot *slot)
{
	void (*pointer)(void) = NULL;
	memcpy(&pointer, (const char *)p + slot->offset, sizeof pointer);
	return pointer;
}

static json_t *describe_options(const struct plugin *p)
{
	json_t *list = json_array();
	for (size_t i = 0; i < p->option_count; i++) {
		const struct berth_option *o = &p->options[i];
		json_t *row = json_pack("{s:s, s:s, s:b, s:b, s:s}", "key", o->key, "type",
					option_type_name(o->type), "required",
					(o->flags & BERTH_OPT_REQUIRED) != 0, "secret",
					(o->flags & BERTH_OPT_SECRET) != 0, "help", o->help);
		js_put_str(row, "default", o->deflt);
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *describe_tables(const struct plugin *p)
{
	json_t *tables = json_object();
	for (const struct plugin_slot *s = plugin_slots; s->table; s++) {
		if (!plugin_has(p, s))
			continue;
		json_t *names = json_object_get(tables, s->table);
		if (!names) {
			names = json_array();
			json_object_set_new(tables, s->table, names);
		}
		json_array_append_new(names, json_string(s->name));
	}
	return tables;
}

json_t *plugin_describe(const struct plugin_entry *entry)
{
	const struct plugin *p = entry->plugin;
	json_t *o = json_pack("{s:s, s:s+, s:b}", "name", entry->name, "file", entry->name, ".so",
			      "ok", p != NULL);
	js_put_str(o, "error", entry->error);
	if (!p)
		return o;
	json_object_set_new(o, "version", json_string(p->head.version));
	json_object_set_new(o, "abi", json_sprintf("%u.%u", p->head.abi_major, p->head.abi_minor));
	json_object_set_new(o, "summary", json_string(p->head.summary));
	json_object_set_new(o, "options", describe_options(p));
	json_object_set_new(o, "tables", describe_tables(p));
	return o;
}
