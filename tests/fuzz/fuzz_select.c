/* SPDX-License-Identifier: Apache-2.0 */
/* The selector's search: the first line is the query, the next the path, the
 * others are tags. Each way of scanning must count what a naive search counts.
 */
#include "tests/unit/naive_select.h"

#define TAGS_MAX 400

struct input {
	char *lines[TAGS_MAX + 2];
	size_t count;
};

static void split(char *text, struct input *ret)
{
	char *rest = text;
	for (char *line; ret->count < TAGS_MAX + 2 && (line = strsep(&rest, "\n"));)
		if (ret->count < 2 || *line)
			ret->lines[ret->count++] = line;
}

static uint64_t naive_count(const struct input *in, const char *path)
{
	uint64_t count = 0;
	unsigned class;
	for (size_t i = 2; i < in->count; i++)
		count += naive_fits(path, "space", in->lines[i], in->lines[0], &class);
	return count;
}

static void fill(struct selector *s, const struct input *in, const char *path, char *tags)
{
	static uint32_t pushed_s[TAGS_MAX];
	struct berth_error err = ERROR_INIT;
	size_t bytes = 0;
	for (size_t i = 2; i < in->count; i++) {
		size_t n = strlen(in->lines[i]);
		tags[bytes++] = '\n';
		memcpy(tags + bytes, in->lines[i], n);
		bytes += n;
	}
	tags[bytes++] = '\n';
	const struct select_repository r = {
		1,    "i",   "s",      path,
		tags, bytes, pushed_s, (uint32_t)(in->count > 2 ? in->count - 2 : 0)};
	if (r.tag_count && selector_put(s, &r, &err))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ways[] = {"avx2", "sse2", "plain"};
	const struct select_space space = {"s", "space"};
	AUTO_FREE char *text = strndup((const char *)data, size), *tags = malloc(size + 2);
	AUTO(selector) struct selector *s = NULL;
	struct berth_error err = ERROR_INIT;
	struct input in = {.count = 0};

	if (!text || !tags || selector_new(&s, &err))
		return 0;
	split(text, &in);
	if (in.count < 3 || strpbrk(in.lines[0], "\t\v\f\r") || strlen(in.lines[1]) > 60000)
		return 0;
	fill(s, &in, in.lines[1], tags);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct select_query q = {
			.text = in.lines[0], .spaces = &space, .space_count = 1, .limit = 10};
		struct select_result r;
		if (!scan_use(ways[i]))
			continue;
		if (!selector_search(s, &q, &r, &err) && r.total != naive_count(&in, in.lines[1]))
			abort();
		select_result_done(&r);
	}
	return 0;
}
