/* SPDX-License-Identifier: Apache-2.0 */
/* Permission points against the roles, the routes and the callers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/access/access.h"
#include "core/http/route.h"

static void every_point_says_what_it_is(void **state)
{
	(void)state;
	for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++) {
		const struct point_row *p = &points[i];
		assert_non_null(p->name);
		assert_non_null(p->allows);
		assert_true(i == POINT_NONE + 1 || strcmp(points[i - 1].name, p->name) < 0);
		assert_int_equal(points_find(p->name), i);
		assert_true(p->role >= ROLE_VIEWER);
	}
	assert_int_equal(points_find("none"), POINT_NONE);
	assert_int_equal(points_find(""), POINT_NONE);
}

/* Who has a point can use it: built-in roles are closed sets. */
static void built_in_roles_have_what_their_points_need(void **state)
{
	(void)state;
	for (int role = ROLE_NONE; role <= ROLE_ADMIN; role++) {
		const struct point_set set = points_of_role((enum role)role);
		struct point_set closed = set;
		points_close(&closed);
		assert_memory_equal(&set, &closed, sizeof set);
	}
	for (int member = MEMBER_NONE; member <= MEMBER_ADMIN; member++) {
		const struct point_set set = points_of_member((enum member)member);
		struct point_set closed = set;
		points_close(&closed);
		assert_memory_equal(&set, &closed, sizeof set);
	}
}

static void a_point_that_depends_on_itself_is_found(void **state)
{
	struct point_row ring[40] = {{.name = "none"}};
	(void)state;
	assert_null(points_cycle(points, POINT_COUNT));
	for (size_t i = 1; i < 40; i++)
		ring[i] = (struct point_row){.name = "one", .needs = {(enum point)(i + 1)}};
	ring[39].needs[0] = POINT_NONE;
	assert_null(points_cycle(ring, 40));
	ring[39].name = "last";
	ring[39].needs[2] = (enum point)39;
	assert_null(points_cycle(ring, 39));
	assert_string_equal(points_cycle(ring, 40), "last");
	ring[39].needs[2] = (enum point)7;
	assert_string_equal(points_cycle(ring, 40), "one");
}

static void granting_a_point_brings_what_it_needs(void **state)
{
	struct point_set set = {{0, 0}};
	char text[POINT_TEXT_ROOM];
	(void)state;
	points_add(&set, POINT_IMAGES_DELETE);
	points_close(&set);
	points_format(&set, text, sizeof text);
	assert_string_equal(text, "images.delete images.read operations.read spaces.read");
	const struct point_set read = points_parse("images.delete gone.forever spaces.read");
	points_format(&read, text, sizeof text);
	assert_string_equal(text, "images.delete spaces.read");
	assert_string_equal(points_near("image.delete"), "images.delete");
	assert_true(points_fits(POINT_IMAGES_READ, true));
	assert_true(points_fits(POINT_IMAGES_DELETE, true));
	assert_false(points_fits(POINT_RETENTION_RUN, true));
	assert_false(points_fits(POINT_ROLES_EDIT, false));
}

/* What a request's text may grow to holds every point. */
static void all_points_fit_a_text(void **state)
{
	const struct point_set all = points_of_role(ROLE_ADMIN);
	char text[POINT_TEXT_ROOM];
	(void)state;
	points_format(&all, text, sizeof text);
	const struct point_set read = points_parse(text);
	assert_memory_equal(&all, &read, sizeof all);
}

/* The document's x-role and x-member say what follows from the points. */
static void the_documents_roles_follow_from_the_points(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		const struct route *r = &routes[i];
		const struct point_row *p = &points[r->point];
		bool is_theirs = r->scope == SCOPE_WORKSPACE;
		if (r->role != p->role || (is_theirs && r->member != p->member))
			fail_msg("%s names %s, but another role", r->operation, p->name);
		assert_int_equal(r->point == POINT_NONE, r->scope == SCOPE_SERVER);
	}
}

static enum route_verdict decide(enum role role, struct grants *g, const struct route *r)
{
	const struct caller caller = {.role = role};
	return route_decide(&caller, g, r);
}

static void every_role_meets_every_route(void **state)
{
	struct grants none = {.is_loaded = true};
	(void)state;
	for (size_t i = 0; i < route_count; i++)
		for (int role = ROLE_NONE; role <= ROLE_ADMIN; role++) {
			enum route_verdict v = decide((enum role)role, &none, &routes[i]);
			assert_int_equal(v == ROUTE_ALLOW, (enum role)role >= routes[i].role);
			if (role == ROLE_NONE)
				assert_int_not_equal(v, ROUTE_HIDE);
		}
}

/* Each single point, of the platform and of a workspace, against each route. */
static void every_point_meets_every_route(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++)
		for (size_t k = POINT_NONE + 1; k < POINT_COUNT; k++) {
			const struct route *r = &routes[i];
			struct grants platform = {.is_loaded = true}, tenant = platform;
			bool is_it = r->point == POINT_NONE || r->point == k;
			bool is_theirs = r->scope == SCOPE_WORKSPACE;
			points_add(&platform.platform, (enum point)k);
			points_add(&tenant.workspace, (enum point)k);
			tenant.is_member = true;
			assert_int_equal(decide(ROLE_NONE, &platform, r) == ROUTE_ALLOW, is_it);
			assert_int_equal(decide(ROLE_NONE, &tenant, r),
					 r->point == POINT_NONE || (is_it && is_theirs)
						 ? ROUTE_ALLOW
					 : is_theirs ? ROUTE_FORBID
						     : ROUTE_HIDE);
			assert_int_equal(decide(ROLE_ADMIN, &tenant, r), ROUTE_ALLOW);
		}
}

static void grants_tell_which_roles_have_a_point(void **state)
{
	struct point_set look = {{0, 0}};
	struct berth_error err = ERROR_INIT;
	AUTO_BUF struct buf text = {.max = 4096};
	struct grants g = {.is_loaded = true};
	(void)state;
	const struct point_set member = points_of_member(MEMBER_PLAIN);
	points_add(&look, POINT_SPACES_READ);
	assert_int_equal(grants_add(&g, "keeper", false, &look, &err), 0);
	assert_false(g.is_member);
	assert_int_equal(grants_add(&g, "looker", true, &look, &err), 0);
	assert_int_equal(grants_add(&g, "workspace-member", true, &member, &err), 0);
	assert_true(g.is_member);
	assert_int_equal(grants_with(&g, POINT_IMAGES_READ, &text, &err), 0);
	assert_string_equal(buf_text(&text), " workspace-member ");
	buf_done(&text);
	assert_int_equal(grants_with(&g, POINT_SPACES_READ, &text, &err), 0);
	assert_string_equal(buf_text(&text), " looker workspace-member ");
	grants_done(&g);
}

/* In a child, because groups can't be had back. */
static int identify_with(size_t count)
{
	const struct access_config config = {20000, ACCESS_NO_ID, ACCESS_NO_ID, ACCESS_NO_ID};
	struct berth_error err = ERROR_INIT;
	struct caller caller;
	int pair[2];
	gid_t *groups = calloc(count + 1, sizeof *groups);
	if (!groups)
		return 2;
	for (size_t i = 0; i < count; i++)
		groups[i] = (gid_t)(20000 + count - i);
	if (setgroups(count, groups) || setgid(30000) || setuid(4242) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    access_identify(pair[0], &config, &caller, &err))
		return 3;
	bool is_whole = caller.uid == 4242 && caller.group_count == count + 1 &&
			caller.groups[0] == 30000 && caller_has_group(&caller, 30000) &&
			caller.role == ROLE_NONE && !caller_has_group(&caller, 20000);
	for (size_t i = 1; i <= count; i++)
		is_whole = is_whole && caller_has_group(&caller, (gid_t)(20000 + i));
	caller_done(&caller);
	free(groups);
	return is_whole ? 0 : 4;
}

static void all_groups_of_a_caller_are_known(void **state)
{
	static const size_t counts[] = {0, 1, 64, 256, 257, 5000};
	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		int status = -1;
		pid_t child = fork();
		if (!child)
			_exit(identify_with(counts[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_point_says_what_it_is),
		cmocka_unit_test(built_in_roles_have_what_their_points_need),
		cmocka_unit_test(a_point_that_depends_on_itself_is_found),
		cmocka_unit_test(granting_a_point_brings_what_it_needs),
		cmocka_unit_test(all_points_fit_a_text),
		cmocka_unit_test(the_documents_roles_follow_from_the_points),
		cmocka_unit_test(every_role_meets_every_route),
		cmocka_unit_test(every_point_meets_every_route),
		cmocka_unit_test(grants_tell_which_roles_have_a_point),
		cmocka_unit_test(all_groups_of_a_caller_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
