/* SPDX-License-Identifier: Apache-2.0 */
/* A server that behaves, as the script says: each slot must do its work there.
 * And the same server with lists that never end: a slot must not follow them
 * for ever, nor take a part for the whole.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/fail.h"
#include "tests/conform/conform.h"

/* Of what kind a slot gives an item at least. */
static const struct work {
	const char *slot, *claim, *kind_name;
	uint32_t kind;
} works[] = {
	{"probe", "with the script, probe tells facts", "FACT", BERTH_ITEM_FACT},
	{"overview", "with the script, overview tells facts", "FACT", BERTH_ITEM_FACT},
	{"spaces", "with the script, spaces gives spaces", "SPACE", BERTH_ITEM_SPACE},
	{"repositories", "with the script, repositories gives repositories", "REPOSITORY",
	 BERTH_ITEM_REPOSITORY},
	{"tags", "with the script, tags gives tags of team/app", "TAG", BERTH_ITEM_TAG},
	{"artifact", "with the script, artifact shows team/app:1", "ARTIFACT", BERTH_ITEM_ARTIFACT},
};

/* One call against the server that behaves, or that never ends. */
static unsigned ask(const struct plugin *p, struct upstream *u, enum upstream_mode mode,
		    const char *slot, struct outcome *ret)
{
	char address[64];
	const struct host_setup setup = {.plugin = p, .address = address, .deadline_ms = 50000};
	snprintf(address, sizeof address, "http://127.0.0.1:%d", u->port);
	upstream_set(u, mode, 0);
	call_in_child(&setup, slot, ret);
	return upstream_connections(u);
}

static void check_work(const struct plugin *p, struct upstream *u, const struct work *w)
{
	char detail[1200] = "";
	struct outcome o;
	ask(p, u, UPSTREAM_WELL, w->slot, &o);
	bool has_kind = o.kinds & (1u << w->kind);
	if (!o.ran || o.code)
		explain(&o, w->slot, detail, sizeof detail);
	else if (o.bad_item)
		snprintf(detail, sizeof detail, "%s", o.reason);
	else if (!has_kind)
		snprintf(detail, sizeof detail, "it gave %u items, none of them %s", o.item_count,
			 w->kind_name);
	tap_ok(!detail[0], w->claim, detail);
}

/* A slot that asks no more than of a list that ends has not followed it. One
 * artifact may be shown all the same: its document says what it lacks. */
static void check_endless(const struct plugin *p, struct upstream *u)
{
	static const char claim[] = "a list that never ends is limit or protocol, at a cap";
	char detail[1200] = "";
	unsigned gave = 0;
	for (const char *const *slot = callable_slots; *slot; slot++) {
		struct outcome o;
		if (!has_slot(p, *slot))
			continue;
		unsigned usual = ask(p, u, UPSTREAM_WELL, *slot, &o);
		if (!o.ran || o.code || !o.item_count)
			continue;
		gave++;
		unsigned asked = ask(p, u, UPSTREAM_ENDLESS, *slot, &o);
		bool is_right =
			o.ran && (o.code == BERTH_E_LIMIT || o.code == BERTH_E_PROTOCOL ||
				  (!o.code && (asked <= usual || !strcmp(*slot, "artifact"))));
		if (!is_right)
			explain(&o, *slot, detail, sizeof detail);
	}
	if (gave)
		tap_ok(!detail[0], claim, detail);
	else
		tap_skip(claim, "no slot that the kit knows gave an item; try --script");
}

void check_works(const struct plugin *p, struct upstream *u, bool has_script)
{
	for (size_t i = 0; i < ARRAY_COUNT(works); i++) {
		if (!has_slot(p, works[i].slot))
			continue;
		if (has_script)
			check_work(p, u, &works[i]);
		else
			tap_skip(works[i].claim, "try --script");
	}
	check_endless(p, u);
}
