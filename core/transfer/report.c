/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says: an item for each image, progress twice a second, totals. */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/transfer/parts.h"

#define PROGRESS_MS 500

static const char *const states[] = {"waiting", "copied", "present", "kept", "failed", "skipped"};

static json_t *name_of(const char *repository, const char *tag)
{
	if (!tag)
		return json_string(repository);
	return json_sprintf("%s%c%s", repository, strchr(tag, ':') ? '@' : ':', tag);
}

json_t *fault_shown(const struct pair *p, const struct fault *f)
{
	json_t *shown = js_of_error(&f->err);
	const char *label = f->side == SIDE_SOURCE   ? p->label_source
			    : f->side == SIDE_TARGET ? p->label_target
						     : "";
	size_t byte_count = strcspn(label, "/");
	if (label[byte_count])
		json_object_set_new(shown, "integration", json_stringn(label, byte_count));
	return shown;
}

json_t *report_item(const struct image *i, const char *key, const char *value)
{
	char digest[DIGEST_TEXT_ROOM] = "";
	const struct node *root = i->root;
	json_t *more = json_object(), *item = json_object();
	const char *target = i->target_tag ? i->target_tag : i->source_tag;
	if (i->source_digest.algorithm)
		digest_format(&i->source_digest, digest);
	json_object_set_new(item, "kind", json_string("image"));
	json_object_set_new(item, "name", name_of(i->pair->label_target, target));
	js_put_str(item, "digest", digest);
	json_object_set_new(item, "bytes", json_integer(root ? (json_int_t)root->sent_bytes : 0));
	json_object_set_new(more, key, json_string(value));
	json_object_set_new(more, "source", name_of(i->pair->label_source, i->source_tag));
	json_object_set_new(more, "mounts", json_integer(root ? (json_int_t)root->mounts : 0));
	json_object_set_new(more, "attempts",
			    json_integer(root && root->attempts ? (json_int_t)root->attempts : 1));
	if (i->subject)
		json_object_set_new(more, "referrer", json_true());
	if (i->why)
		json_object_set_new(more, "error", fault_shown(i->pair, i->why));
	json_object_set_new(item, "more", more);
	return item;
}

void report_image(struct transfer *t, const struct image *i)
{
	AUTO_JSON json_t *item = report_item(i, "state", states[i->state]);
	if (t->set.item)
		t->set.item(t->set.user, item);
}

static const char *action_of(const struct image *i)
{
	if (i->state == IMAGE_FAILED)
		return "fail";
	if (i->state == IMAGE_KEPT)
		return "keep";
	if (image_is_present(i))
		return "present";
	return i->root && i->root->is_there ? "tag" : "copy";
}

void transfer_report_plan(struct transfer *t)
{
	for (size_t n = 0; n < t->images.count; n++) {
		const struct image *i = t->images.items[n];
		AUTO_JSON json_t *item = report_item(i, "action", action_of(i));
		json_object_set_new(item, "kind", json_string("step"));
		if (t->set.item)
			t->set.item(t->set.user, item);
	}
}

static void measure_rate(struct transfer *t, uint64_t now, uint64_t bytes)
{
	uint64_t ms = now - t->rate_at_ms;
	if (ms < 2000 && t->rate_at_ms)
		return;
	if (t->rate_at_ms && bytes >= t->rate_bytes)
		t->rate = (bytes - t->rate_bytes) * 1000 / ms;
	t->rate_at_ms = now;
	t->rate_bytes = bytes;
}

static void count_states(const struct transfer *t, size_t counts[ARRAY_COUNT(states)])
{
	for (size_t n = 0; n < t->images.count; n++) {
		const struct image *i = t->images.items[n];
		if (!i->subject)
			counts[i->state]++;
	}
}

/* A plan begins nothing: what would only be looked at waits there until the end. */
static void count_present(const struct transfer *t, size_t counts[ARRAY_COUNT(states)])
{
	for (size_t n = 0; n < t->images.count; n++) {
		const struct image *i = t->images.items[n];
		if (i->subject || i->state != IMAGE_WAITING || !image_is_present(i))
			continue;
		counts[IMAGE_WAITING]--;
		counts[IMAGE_PRESENT]++;
	}
}

/* How many requests are in flight at each end, and how many may be just now. */
static json_t *requests_of(const struct transfer *t)
{
	const struct lane *a = t->sides[SIDE_SOURCE].lane, *b = t->sides[SIDE_TARGET].lane;
	return json_pack("{s:{s:i, s:i}, s:{s:i, s:i}}", "source", "in_flight", (int)a->in_flight,
			 "window", (int)a->window.limit, "target", "in_flight", (int)b->in_flight,
			 "window", (int)b->window.limit);
}

void report_progress(struct transfer *t, bool now_please)
{
	uint64_t now = clock_monotonic_ms(), flying;
	size_t counts[ARRAY_COUNT(states)] = {0};
	if (!t->set.progress || (!now_please && now < t->progress_at_ms))
		return;
	t->progress_at_ms = now + PROGRESS_MS;
	json_t *streams = move_streams(t, &flying);
	measure_rate(t, now, t->done_bytes + flying);
	count_states(t, counts);
	AUTO_JSON json_t *more =
		json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}", "requests", requests_of(t), "rate",
			  (json_int_t)t->rate, "images", (json_int_t)t->images.count, "waiting",
			  (json_int_t)counts[IMAGE_WAITING], "failed",
			  (json_int_t)counts[IMAGE_FAILED], "streams", streams);
	if (more)
		t->set.progress(t->set.user, t->done_bytes + flying, t->total_bytes, t->stage,
				more);
}

json_t *transfer_totals(const struct transfer *t)
{
	size_t counts[ARRAY_COUNT(states)] = {0}, images = 0;
	json_t *o = json_object();
	count_states(t, counts);
	count_present(t, counts);
	for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
		images += counts[i];
		if (i)
			json_object_set_new(o, states[i], json_integer((json_int_t)counts[i]));
	}
	const struct {
		const char *name;
		uint64_t value;
	} sums[] = {
		{"images", images},
		{"referrers", t->images.count - images},
		{"blobs", t->total_blobs},
		{"bytes", t->total_bytes},
		{"mounts", t->total_mounts},
		{"requests", t->estimated_requests},
		{"blobs_done", t->done_blobs},
		{"bytes_done", t->done_bytes},
		{"mounts_done", t->done_mounts},
	};
	for (size_t i = 0; i < ARRAY_COUNT(sums); i++)
		json_object_set_new(o, sums[i].name, json_integer((json_int_t)sums[i].value));
	return o;
}
