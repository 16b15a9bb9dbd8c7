/* SPDX-License-Identifier: Apache-2.0 */
/* Members of workspaces and roles: users and groups of the system, by name or number.
 * The number is what counts; the name is kept as it was given, whatever it looks
 * like, because other systems have other ideas of a name. What this system calls the
 * number when the member is added is kept as its account: a number that is given to
 * somebody else later does not bring its rights along.
 *
 * As a row a member is a principal: "u1000", or with its account "u1000=616c696365",
 * the name in hex so that it can stand in a pattern of SQL.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/accounts.h"
#include "core/api/workspace.h"
#include "core/base/text.h"

#define ID_MAX 4294967294 /* the one above means nobody */

/* One member in the making. */
struct entry {
	const char *name;
	bool is_group;
	int64_t number;
	char account[ACCOUNT_NAME_ROOM]; /* "": not in this system's files */
};

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* A name that is not in the files may be a directory's, but its number is nobody else's:
 * what another machine calls that number would be given to somebody else here. */
static int check_holder(struct findings *f, const char *pointer, const struct entry *e,
			struct berth_error *err)
{
	char holder[ACCOUNT_NAME_ROOM];

	if (account_name(e->is_group, (uint32_t)e->number, holder, err))
		return err->code;
	if (*holder)
		findings_add(f, pointer, "other-account", "%s %lld is '%s' here, not '%s'",
			     e->is_group ? "gid" : "uid", (long long)e->number, holder, e->name);
	return 0;
}

/* Name and number must mean one account, as far as can be told here. */
static int settle_number(struct findings *f, const char *pointer, const json_t *member,
			 struct entry *e, struct berth_error *err)
{
	const char *what = e->is_group ? "group" : "user", *id = e->is_group ? "gid" : "uid";
	int64_t known = -1;

	if (*e->name && account_number(e->is_group, e->name, &known, err))
		return err->code;
	if (e->number < 0 && known < 0)
		findings_add(f, pointer, "unknown-account",
			     "no %s '%s' in this system's files: give its %s, alone or as well",
			     what, e->name, id);
	else if (e->number >= 0 && known >= 0 && known != e->number)
		findings_add(f, pointer, "other-account", "%s '%s' has the %s %lld here", what,
			     e->name, id, (long long)known);
	else if (e->number < 0)
		e->number = known;
	else if (*e->name && known < 0 && !json_object_get(member, "account"))
		return check_holder(f, pointer, e, err);
	return 0;
}

/* The account as it was given, or else as the files have it now. */
static int settle_account(struct findings *f, const char *pointer, const json_t *member,
			  struct entry *e, struct berth_error *err)
{
	const char *given = js_str(member, "account", NULL);

	if (!given)
		return account_name(e->is_group, (uint32_t)e->number, e->account, err);
	if (strlen(given) >= sizeof(e->account) || has_control(given))
		findings_add(f, pointer, "bad-name", "account is no name of this system's files");
	else
		snprintf(e->account, sizeof(e->account), "%s", given);
	return 0;
}

/* Reads {"user","uid"} or {"group","gid"}; findings where it is none. */
static int read_entry(const json_t *member, const char *pointer, struct findings *f,
		      struct entry *ret, struct berth_error *err)
{
	bool is_user = json_object_get(member, "user") || json_object_get(member, "uid");
	bool is_group = json_object_get(member, "group") || json_object_get(member, "gid");
	size_t before = f->count;

	*ret = (struct entry){.is_group = is_group};
	ret->name = js_str(member, is_group ? "group" : "user", "");
	ret->number = js_int(member, is_group ? "gid" : "uid", -1);
	if (is_user == is_group)
		findings_add(f, pointer, "one-account",
			     "expected a user (user, uid) or a group (group, gid)");
	else if (has_control(ret->name))
		findings_add(f, pointer, "bad-name", "the name has a control character");
	else if (settle_number(f, pointer, member, ret, err))
		return err->code;
	return f->count == before ? settle_account(f, pointer, member, ret, err) : 0;
}

static json_t *normal_of(const struct entry *e, const char *role)
{
	return json_pack("{s:I, s:s*, s:s*, s:s*}", e->is_group ? "gid" : "uid",
			 (json_int_t)e->number, "role", role, e->is_group ? "group" : "user",
			 *e->name ? e->name : NULL, "account", *e->account ? e->account : NULL);
}

static bool principal_parse(const char *principal, struct entry *ret)
{
	const char *hex = strchr(principal, '=');
	char number[24];
	size_t digits = hex ? (size_t)(hex - principal) - 1 : strlen(principal + 1);
	size_t bytes = hex ? strlen(hex + 1) / 2 : 0;

	ret->is_group = *principal == 'g';
	if (digits >= sizeof(number) || bytes >= sizeof(ret->account))
		return false;
	memcpy(number, principal + 1, digits);
	number[digits] = '\0';
	ret->account[bytes] = '\0';
	return text_parse_i64(number, 0, ID_MAX, &ret->number) &&
	       (!hex || text_unhex(hex + 1, (unsigned char *)ret->account, bytes));
}

void member_principal(const json_t *member, char to[PRINCIPAL_ROOM])
{
	const json_t *gid = json_object_get(member, "gid");

	principal_format(gid != NULL, js_int(member, gid ? "gid" : "uid", 0),
			 js_str(member, "account", ""), to);
}

/* Where the member belongs in the sorted list; -1: its number is there already. */
static long place_of(const json_t *list, const json_t *member)
{
	const char *id = json_object_get(member, "gid") ? "gid" : "uid";
	char principal[PRINCIPAL_ROOM], other[PRINCIPAL_ROOM];
	long place = 0;
	size_t i;
	const json_t *one;

	member_principal(member, principal);
	json_array_foreach (list, i, one) {
		member_principal(one, other);
		if (js_int(one, id, -1) == js_int(member, id, -2))
			return -1;
		if (strcmp(other, principal) < 0)
			place = (long)i + 1;
	}
	return place;
}

/* One member into the sorted list. */
static int add_normal(json_t *list, const json_t *member, const char *pointer, struct findings *f,
		      struct berth_error *err)
{
	size_t before = f->count;
	struct entry e;

	if (read_entry(member, pointer, f, &e, err) || f->count != before)
		return err->code;
	json_t *one AUTO_JSON = normal_of(&e, js_str(member, "role", "workspace-member"));
	if (!one)
		return berth_fail_memory(err);
	long place = place_of(list, one);
	if (place < 0) {
		findings_add(f, pointer, "twice", "%s %lld is in the list already",
			     e.is_group ? "group" : "user", (long long)e.number);
		return 0;
	}
	return json_array_insert(list, (size_t)place, one) ? berth_fail_memory(err) : 0;
}

int members_normal(const json_t *members, struct findings *f, json_t **ret, struct berth_error *err)
{
	json_t *list AUTO_JSON = json_array();
	const json_t *member;
	size_t i;

	if (!list)
		return berth_fail_memory(err);
	accounts_look();
	json_array_foreach (members, i, member) {
		char pointer[48];
		snprintf(pointer, sizeof(pointer), "/members/%zu", i);
		if (add_normal(list, member, pointer, f, err))
			return err->code;
	}
	*ret = STEAL(list);
	return 0;
}

int members_of_others(const json_t *members, json_t **ret, struct berth_error *err)
{
	json_t *list AUTO_JSON = json_array();
	const json_t *one;
	size_t i;

	*ret = NULL;
	if (!list)
		return berth_fail_memory(err);
	accounts_look();
	json_array_foreach (members, i, one) {
		bool is_group = json_object_get(one, "gid") != NULL;
		const char *id = is_group ? "gid" : "uid", *was = js_str(one, "account", "");
		int64_t number = js_int(one, id, -1);
		char is[ACCOUNT_NAME_ROOM];

		if (!*was)
			continue;
		if (account_name(is_group, (uint32_t)number, is, err))
			return err->code;
		if (*is && strcmp(was, is) != 0 &&
		    json_array_append_new(list, json_pack("{s:I, s:s, s:s}", id, (json_int_t)number,
							  "was", was, "is", is)))
			return berth_fail_memory(err);
	}
	if (json_array_size(list))
		*ret = STEAL(list);
	return 0;
}

int members_store(struct store *s, const char *workspace_id, const json_t *members,
		  struct berth_error *err)
{
	const json_t *member;
	size_t i;

	if (workspace_members_clear(s, workspace_id, err))
		return err->code;
	json_array_foreach (members, i, member) {
		char principal[PRINCIPAL_ROOM];
		bool is_group = json_object_get(member, "gid") != NULL;
		struct workspace_member row = {
			.workspace_id = (char *)workspace_id,
			.principal = principal,
			.name = (char *)js_str(member, is_group ? "group" : "user", ""),
			.role = (char *)js_str(member, "role", ""),
		};
		member_principal(member, principal);
		if (workspace_member_add(s, &row, err))
			return err->code;
	}
	return 0;
}

int member_object(const char *principal, const char *name, const char *role, json_t **ret,
		  struct berth_error *err)
{
	struct entry e = {.name = name};

	if (!principal_parse(principal, &e))
		return berth_fail(err, BERTH_E_INTERNAL, "store: member %s", principal);
	*ret = normal_of(&e, role);
	return *ret ? 0 : berth_fail_memory(err);
}

static int add_member(void *user, const void *row, struct berth_error *err)
{
	const struct workspace_member *it = row;
	json_t *one = NULL;

	if (member_object(it->principal, it->name, it->role, &one, err))
		return err->code;
	return json_array_append_new(user, one) ? berth_fail_memory(err) : 0;
}

int members_load(struct store *s, const char *workspace_id, json_t **ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);
	struct store_page page = {.within = "workspace_id = ?",
				  .within_values = &v,
				  .within_count = 1,
				  .tail = "ORDER BY principal"};
	json_t *list AUTO_JSON = json_array();

	if (!list)
		return berth_fail_memory(err);
	if (store_list(s, &workspace_members_table, &page, add_member, list, NULL, err))
		return err->code;
	*ret = STEAL(list);
	return 0;
}
