/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the selector true. Two kinds of work wait: single repositories that the
 * store told of, and passes over whole integrations (at the start all of them),
 * which add what is new and drop what is gone. A timer of no delay does a few
 * milliseconds of it at a time; requests are served between.
 */
#include "core/api/selector.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"

#define SLICE_MS 2
#define WAIT_MS 4
#define WAIT_REPOSITORIES 256
#define RETRY_MS 1000
#define BATCH 32
#define TAGS_MAX_BYTES ((size_t)256 * 1024 * 1024)

static struct {
	struct store *store;
	struct selector *selector;
	struct loop_timer *timer;
	int64_t *ids; /* repositories that have changed */
	size_t id_count, id_room;
	json_t *passes;  /* integrations to go over, by id; the first is at work */
	char *pass_name; /* its name */
	char *pass_last; /* the repository that it has come to */
	uint32_t pass;
	bool is_awake; /* the timer is set */
	/* kept between repositories */
	struct buf tags;
	uint32_t *pushed_s;
	size_t pushed_room;
} all;

enum { SQL_ONE, SQL_TAGS, SQL_BATCH, SQL_NAME, SQL_ALL };
static const struct store_sql sql[] = {
	[SQL_ONE] = {"select-one", "SELECT r.name, r.space_id, r.integration_id, i.name "
				   "FROM repositories r JOIN integrations i "
				   "ON i.id = r.integration_id WHERE r.id = ?"},
	[SQL_TAGS] = {"select-tags", "SELECT name, pushed_ms FROM tags WHERE repository_id = ? "
				     "ORDER BY name"},
	[SQL_BATCH] = {"select-batch", "SELECT id, name, space_id FROM repositories "
				       "WHERE integration_id = ? AND name > ? ORDER BY name "
				       "LIMIT 32"},
	[SQL_NAME] = {"select-name", "SELECT name FROM integrations WHERE id = ?"},
	[SQL_ALL] = {"select-all", "SELECT id FROM integrations ORDER BY name || '/'"},
};

static int add_pushed(size_t count, uint32_t pushed_s, struct berth_error *err)
{
	if (count == all.pushed_room) {
		size_t room = all.pushed_room ? all.pushed_room * 2 : 256;
		uint32_t *grown = realloc(all.pushed_s, room * sizeof(*grown));
		if (!grown)
			return berth_fail_memory(err);
		all.pushed_s = grown;
		all.pushed_room = room;
	}
	all.pushed_s[count] = pushed_s;
	return 0;
}

/* The tags of a repository into all.tags and all.pushed_s. */
static int read_tags(int64_t id, uint32_t *ret_count, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	uint32_t count = 0;

	buf_reset(&all.tags);
	if (store_query(all.store, &sql[SQL_TAGS], VALUES(V_INT(id)), &rows, err))
		return err->code;
	while (!rows_next(rows, &has_row, err) && has_row) {
		const char *name = rows_text(rows, 0);
		int64_t pushed_s = rows_int(rows, 1) / 1000;
		if (!*name || strchr(name, '\n')) /* no tag at all */
			continue;
		if ((!count && buf_add_text(&all.tags, "\n", err)) ||
		    buf_add_text(&all.tags, name, err) || buf_add_text(&all.tags, "\n", err))
			return err->code;
		pushed_s = pushed_s < 0 ? 0 : pushed_s > UINT32_MAX ? UINT32_MAX : pushed_s;
		if (add_pushed(count++, (uint32_t)pushed_s, err))
			return err->code;
	}
	*ret_count = count;
	return err->code;
}

static int put(int64_t id, const char *integration_id, const char *integration,
	       const char *space_id, const char *name, struct berth_error *err)
{
	char *path AUTO_FREE = NULL;
	uint32_t count = 0;

	if (asprintf(&path, "%s/%s", integration, name) < 0)
		path = NULL;
	if (!path)
		return berth_fail_memory(err);
	if (read_tags(id, &count, err))
		return err->code;
	const struct select_repository r = {
		.id = id,
		.integration_id = integration_id,
		.space_id = space_id,
		.path = path,
		.tags = buf_text(&all.tags),
		.tags_byte_count = all.tags.byte_count,
		.pushed_s = all.pushed_s,
		.tag_count = count,
	};
	return selector_put(all.selector, &r, err);
}

/* One repository as the store has it now; one that is over a cap is left out, alone. */
static int load(int64_t id, const char *integration_id, const char *integration,
		const char *space_id, const char *name, struct berth_error *err)
{
	int code = put(id, integration_id, integration, space_id, name, err);

	if (code != BERTH_E_LIMIT)
		return code;
	log_warning("the selector leaves out %s/%s: %s", integration, name, err->message);
	selector_remove(all.selector, id);
	*err = (struct berth_error)ERROR_INIT;
	return 0;
}

static int load_changed(int64_t id, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;

	if (store_query(all.store, &sql[SQL_ONE], VALUES(V_INT(id)), &rows, err) ||
	    rows_next(rows, &has_row, err))
		return err->code;
	if (has_row)
		return load(id, rows_text(rows, 2), rows_text(rows, 3), rows_text(rows, 1),
			    rows_text(rows, 0), err);
	selector_remove(all.selector, id);
	return 0;
}

/* The pass at work begins: its integration's name, where it is there. */
static int begin_pass(const char *id, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;

	if (store_query(all.store, &sql[SQL_NAME], VALUES(V_TEXT(id)), &rows, err) ||
	    rows_next(rows, &has_row, err))
		return err->code;
	char *name AUTO_FREE = strdup(has_row ? rows_text(rows, 0) : "");
	all.pass_last = name ? strdup("") : NULL;
	if (!all.pass_last)
		return berth_fail_memory(err);
	all.pass_name = STEAL(name);
	selector_set_pass(all.selector, ++all.pass);
	return 0;
}

static void end_pass(const char *id)
{
	selector_remove_unmarked(all.selector, id, all.pass);
	free(STEAL(all.pass_name));
	free(STEAL(all.pass_last));
	json_array_remove(all.passes, 0);
}

/* The next repositories of the pass; *ret_done of them. */
static int go_on(const char *id, size_t *ret_done, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;

	if (store_query(all.store, &sql[SQL_BATCH], VALUES(V_TEXT(id), V_TEXT(all.pass_last)),
			&rows, err))
		return err->code;
	while (!rows_next(rows, &has_row, err) && has_row) {
		int64_t repository = rows_int(rows, 0);
		const char *name = rows_text(rows, 1), *space = rows_text(rows, 2);
		char *last = strdup(name);
		if (!last)
			return berth_fail_memory(err);
		if (!selector_mark(all.selector, repository, space, all.pass) &&
		    load(repository, id, all.pass_name, space, name, err)) {
			free(last);
			return err->code;
		}
		free(all.pass_last);
		all.pass_last = last;
		++*ret_done;
	}
	return err->code;
}

static int pass_step(size_t *ret_done, struct berth_error *err)
{
	char id[UUID_ROOM];
	size_t done = 0;

	snprintf(id, sizeof(id), "%s", json_string_value(json_array_get(all.passes, 0)));
	if (!all.pass_name && begin_pass(id, err))
		return err->code;
	if (*all.pass_name && go_on(id, &done, err))
		return err->code;
	if (done < BATCH)
		end_pass(id);
	*ret_done = done;
	return 0;
}

static bool has_work(void)
{
	return all.id_count || json_array_size(all.passes);
}

/* A little of the work; false: it failed and is tried again later. */
static bool step(size_t *ret_done)
{
	struct berth_error err = ERROR_INIT;
	size_t done = 1;
	int code;

	if (all.id_count) {
		code = load_changed(all.ids[all.id_count - 1], &err);
		if (!code)
			all.id_count--;
	} else {
		code = pass_step(&done, &err);
	}
	*ret_done += done;
	if (code)
		log_warning("the selector lags behind: %s: %s", err.message, err.cause);
	return !code;
}

static void work(void *user)
{
	uint64_t end_ms = clock_monotonic_ms() + SLICE_MS;
	size_t done = 0;

	(void)user;
	all.is_awake = false;
	while (has_work()) {
		bool is_well = step(&done);
		if (is_well && clock_monotonic_ms() < end_ms)
			continue;
		all.is_awake = true;
		loop_timer_set(all.timer, is_well ? 0 : RETRY_MS);
		return;
	}
}

struct selector *selector_now(bool *ret_is_whole)
{
	uint64_t end_ms = clock_monotonic_ms() + WAIT_MS;
	size_t done = 0;

	while (has_work() && (done < WAIT_REPOSITORIES || clock_monotonic_ms() < end_ms))
		if (!step(&done))
			break;
	*ret_is_whole = !has_work();
	return all.selector;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Room for one more: those that are in it twice make some first. */
static bool make_room(void)
{
	size_t kept = 0;

	if (all.id_count < all.id_room)
		return true;
	if (all.id_count)
		qsort(all.ids, all.id_count, sizeof(*all.ids), compare_ids);
	for (size_t i = 0; i < all.id_count; i++)
		if (!kept || all.ids[kept - 1] != all.ids[i])
			all.ids[kept++] = all.ids[i];
	all.id_count = kept;
	if (kept < all.id_room / 2)
		return true;
	size_t room = all.id_room ? all.id_room * 2 : 1024;
	int64_t *grown = realloc(all.ids, room * sizeof(*grown));
	if (!grown)
		return false;
	all.ids = grown;
	all.id_room = room;
	return true;
}

static void add_pass(const char *id)
{
	size_t i;
	json_t *one;

	json_array_foreach (all.passes, i, one)
		if ((i || !all.pass_name) && !strcmp(json_string_value(one), id))
			return;
	if (json_array_append_new(all.passes, json_string(id)))
		log_error("the selector misses a change: out of memory");
}

static void add_all_passes(void)
{
	AUTO(rows) struct store_rows *rows = NULL;
	struct berth_error err = ERROR_INIT;
	bool has_row = false;

	if (!store_query(all.store, &sql[SQL_ALL], NULL, 0, &rows, &err))
		while (!rows_next(rows, &has_row, &err) && has_row)
			add_pass(rows_text(rows, 0));
	if (err.code)
		log_error("the selector can't list integrations: %s: %s", err.message, err.cause);
}

/* What was told is on disk, or undone, by the time the timer is looked at: no
 * transaction stays open over a turn of the loop. */
static void wake(void)
{
	if (!all.is_awake)
		loop_timer_set(all.timer, 0);
	all.is_awake = true;
}

static void repository_changed(void *user, int64_t id)
{
	(void)user;
	if (all.id_count && all.ids[all.id_count - 1] == id)
		return;
	if (make_room())
		all.ids[all.id_count++] = id;
	else
		add_all_passes();
	wake();
}

static void integration_changed(void *user, const char *id)
{
	(void)user;
	if (id)
		add_pass(id);
	else
		add_all_passes();
	wake();
}

int selector_attach(struct daemon_state *d, struct berth_error *err)
{
	static const struct store_watch watch = {repository_changed, integration_changed, NULL};

	all.store = d->store;
	all.passes = json_array();
	buf_init(&all.tags, TAGS_MAX_BYTES);
	if (!all.passes)
		return berth_fail_memory(err);
	if (selector_new(&all.selector, err) ||
	    loop_timer_new(d->loop, work, NULL, &all.timer, err))
		return err->code;
	store_set_watch(d->store, &watch);
	add_all_passes();
	wake();
	return 0;
}
