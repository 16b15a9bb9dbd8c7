/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups as a command line names them: members of workspaces and of
 * roles. Names are looked up here, where a directory server may take its time;
 * berthd gets name and number. Not so over ssh: what this machine's numbers mean
 * is nothing to the machine that berthd runs on, which is told the name alone.
 */
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "client/cmd.h"
#include "client/dial.h"
#include "core/base/text.h"

/* What a flag of members means. */
struct member_flag {
	const char *name, *role; /* role NULL: no longer */
	bool is_group;
};
static const struct member_flag member_flags[] = {
	{"member", "workspace-member", false},
	{"member-group", "workspace-member", true},
	{"admin", "workspace-admin", false},
	{"admin-group", "workspace-admin", true},
	{"remove", NULL, false},
	{"remove-group", NULL, true},
};

static const struct member_flag *member_flag_of(const struct given *g)
{
	for (size_t i = 0; i < ARRAY_COUNT(member_flags); i++)
		if (!strcmp(g->flag->name, member_flags[i].name))
			return &member_flags[i];
	return NULL;
}

/* The number of an account on this machine; -1: not known here. */
static int64_t number_of(const char *name, bool is_group)
{
	if (is_group) {
		const struct group *group = getgrnam(name);
		return group ? (int64_t)group->gr_gid : -1;
	}
	const struct passwd *user = getpwnam(name);
	return user ? (int64_t)user->pw_uid : -1;
}

/* {"user","uid","role"} of what was typed: digits alone are a number. */
static json_t *member_of(const char *text, const struct member_flag *f, bool is_far)
{
	uint64_t number = 0;
	json_t *member = json_object();
	bool is_number = text_parse_u64(text, 0, UINT32_MAX - 1ull, &number);
	int64_t known = -1;

	if (is_number)
		known = (int64_t)number;
	else if (!is_far)
		known = number_of(text, f->is_group);

	if (!is_number)
		js_put_str(member, f->is_group ? "group" : "user", text);
	if (known >= 0)
		json_object_set_new(member, f->is_group ? "gid" : "uid", json_integer(known));
	js_put_str(member, "role", f->role);
	return member;
}

static bool is_same(const json_t *one, const json_t *other)
{
	static const char *const keys[] = {"uid", "gid", "user", "group"};

	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		const json_t *x = json_object_get(one, keys[i]),
			     *y = json_object_get(other, keys[i]);
		if (x && y && json_equal((json_t *)x, (json_t *)y))
			return true;
	}
	return false;
}

/* Takes the one out that is meant; false: it was not there. */
static bool take_out(json_t *members, const json_t *member)
{
	size_t before = json_array_size(members);

	for (size_t i = before; i-- > 0;)
		if (is_same(json_array_get(members, i), member))
			json_array_remove(members, i);
	return json_array_size(members) < before;
}

int members_apply(struct cli *c, json_t *members)
{
	const char *as = cli_flag(c, "as", NULL);

	for (size_t i = 0; i < c->given_count; i++) {
		const struct given *g = &c->given[i];
		const struct member_flag *f = member_flag_of(g);
		if (!f)
			continue;
		AUTO_JSON json_t *member = member_of(g->text, f, dial_is_far(c));
		if (as && f->role && !strncmp(f->name, "member", 6))
			js_put_str(member, "role", as);
		bool was_there = take_out(members, member);
		if (!f->role && !was_there)
			return cli_usage(c, "%s %s is no member", f->is_group ? "group" : "user",
					 g->text);
		if (f->role)
			json_array_append(members, member);
	}
	return -1;
}
