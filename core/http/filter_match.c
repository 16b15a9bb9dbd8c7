/* SPDX-License-Identifier: Apache-2.0 */
/* filter= on objects in memory: the tree is walked for each, with the values
 * that the compiler has found right. Pure.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/http/filter_tree.h"
#include "core/store/array.h"

/* The bytes of the character at s. */
static size_t char_bytes(const char *s)
{
	size_t n = 1;

	while (((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* The end of the pattern's first part, which stands for one character or is %. */
static const char *part_end(const char *pattern)
{
	return pattern + (*pattern == '\\' ? 1 : 0) + 1;
}

static bool part_fits(const char *pattern, const char *s)
{
	return *pattern == '_' || pattern[*pattern == '\\'] == *s;
}

/* LIKE with \ before what stands for itself. On a difference the last % takes one character
 * more: work is at most the product of the lengths, which are capped. */
static bool is_like(const char *pattern, const char *s)
{
	const char *after = NULL, *from = NULL;

	while (*s) {
		if (*pattern == '%') {
			after = ++pattern;
			from = s;
		} else if (*pattern && part_fits(pattern, s)) {
			s += *pattern == '_' ? char_bytes(s) : 1;
			pattern = part_end(pattern);
		} else if (after) {
			pattern = after;
			s = from += char_bytes(from);
		} else {
			return false;
		}
	}
	while (*pattern == '%')
		pattern++;
	return !*pattern;
}

static int compare(const struct store_value *x, const struct value *v, enum store_type type)
{
	int64_t number = v->number;

	if (type == STORE_TEXT)
		return strcmp(x->bytes, v->text);
	if (type == STORE_TIME && !clock_parse(v->text, &number))
		return -1; /* can't be: the compiler has read it */
	return (x->number > number) - (x->number < number);
}

static bool term_fits(const struct node *n, const struct store_table *table, const json_t *item)
{
	const struct store_column *column = store_field(table, n->field);
	struct store_value x = array_value(item, column);

	if (n->op == OP_LIKE)
		return is_like(n->values[0].text, x.bytes);
	if (n->op == OP_IN) {
		for (size_t i = 0; i < n->value_count; i++)
			if (!compare(&x, &n->values[i], column->type))
				return true;
		return false;
	}
	int r = compare(&x, &n->values[0], column->type);
	const bool fits[] = {
		[OP_EQ] = r == 0, [OP_NE] = r != 0, [OP_GT] = r > 0,
		[OP_GE] = r >= 0, [OP_LT] = r < 0,  [OP_LE] = r <= 0,
	};
	return fits[n->op];
}

static bool node_fits(const struct node *n, const struct store_table *table, const json_t *item)
{
	switch (n->kind) {
	case NODE_AND:
		return node_fits(n->left, table, item) && node_fits(n->right, table, item);
	case NODE_OR:
		return node_fits(n->left, table, item) || node_fits(n->right, table, item);
	case NODE_NOT:
		return !node_fits(n->left, table, item);
	default:
		return term_fits(n, table, item);
	}
}

bool filter_fits(const struct filter *f, const struct store_table *table, const json_t *item)
{
	return node_fits(f->root, table, item);
}
