/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed filter, shared by its parser and compiler (filter.c) and by what
 * tries it on objects in memory (filter_match.c). Nobody else includes this.
 */
#ifndef CORE_HTTP_FILTER_TREE_H
#define CORE_HTTP_FILTER_TREE_H

#include "core/http/filter.h"

enum node_kind { NODE_TERM, NODE_AND, NODE_OR, NODE_NOT };
enum operator{ OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE, OP_LIKE, OP_IN };

struct value {
	bool is_text; /* else a number or a boolean */
	bool is_boolean;
	int64_t number;
	char *text; /* owned; after filter_compile a LIKE pattern where op is like */
};
struct node {
	enum node_kind kind;
	enum operator op;
	char field[64];
	struct node *left, *right;
	struct value values[FILTER_VALUES_MAX / 4];
	size_t value_count;
};
struct filter {
	struct node *root;
};

#endif
