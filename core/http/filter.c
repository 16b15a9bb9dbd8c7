/* SPDX-License-Identifier: Apache-2.0 */
/* filter=: a recursive-descent parser into a tree of at most 32 terms, 8 deep,
 * and the compiler to an SQL condition. Pure but for memory; hostile input is
 * bounded by its 1 KiB.
 */
#include "core/http/filter.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/http/filter_tree.h"

static const struct {
	const char *word, *sql;
} operators[] = {
	[OP_EQ] = {"eq", "="},        [OP_NE] = {"ne", "<>"}, [OP_GT] = {"gt", ">"},
	[OP_GE] = {"ge", ">="},       [OP_LT] = {"lt", "<"},  [OP_LE] = {"le", "<="},
	[OP_LIKE] = {"like", "LIKE"}, [OP_IN] = {"in", "IN"},
};

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_MARK };
struct token {
	enum token_kind kind;
	const char *at;
	size_t count;
};
struct parser {
	const char *text, *next;
	struct token token;
	int depth, term_count;
	struct berth_error *err;
};

static struct node *parse_or(struct parser *p);

static void node_free(struct node *n)
{
	if (!n)
		return;
	node_free(n->left);
	node_free(n->right);
	for (size_t i = 0; i < n->value_count; i++)
		free(n->values[i].text);
	free(n);
}

static int fail_here(struct parser *p, const char *wanted)
{
	size_t at = (size_t)(p->token.at - p->text);
	if (p->token.kind == TOKEN_END)
		return berth_fail(p->err, BERTH_E_INVALID, "filter: expected %s at its end",
				  wanted);
	return berth_fail(p->err, BERTH_E_INVALID, "filter: expected %s at byte %zu, near %.*s",
			  wanted, at + 1, p->token.count > 24 ? 24 : (int)p->token.count,
			  p->token.at);
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       (c >= 'A' && c <= 'Z');
}

/* A quoted text: the quote doubled inside stands for itself. */
static size_t text_length(const char *s)
{
	size_t n = 1;
	for (; s[n]; n++) {
		if (s[n] == s[0] && s[n + 1] == s[0])
			n++;
		else if (s[n] == s[0])
			return n + 1;
	}
	return 0;
}

static int advance(struct parser *p)
{
	const char *s = p->next + strspn(p->next, " \t");
	struct token t = {.kind = TOKEN_MARK, .at = s, .count = 1};

	if (!*s) {
		t.kind = TOKEN_END;
		t.count = 0;
	} else if (*s == '\'' || *s == '"') {
		t.kind = TOKEN_TEXT;
		t.count = text_length(s);
	} else if ((*s >= '0' && *s <= '9') || *s == '-') {
		t.kind = TOKEN_NUMBER;
		t.count = 1 + strspn(s + 1, "0123456789");
	} else if (is_word_char(*s)) {
		t.kind = TOKEN_WORD;
		while (is_word_char(s[t.count]))
			t.count++;
	}
	p->token = t;
	if (!t.count && t.kind == TOKEN_TEXT)
		return berth_fail(p->err, BERTH_E_INVALID,
				  "filter: the quote at byte %zu has no end",
				  (size_t)(s - p->text) + 1);
	p->next = s + t.count;
	return 0;
}

static bool token_is(const struct parser *p, const char *word)
{
	return p->token.count == strlen(word) && p->token.kind != TOKEN_TEXT &&
	       !strncmp(p->token.at, word, p->token.count);
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
	struct node *n = calloc(1, sizeof *n);
	if (!n)
		berth_fail_memory(p->err);
	else
		n->kind = kind;
	return n;
}

static char *copy_text(const struct token *t)
{
	char *to = malloc(t->count), *w = to;
	if (!to)
		return NULL;
	for (size_t i = 1; i + 1 < t->count; i++) {
		*w++ = t->at[i];
		i += t->at[i] == t->at[0];
	}
	*w = 0;
	return to;
}

/* One value; the token after it is current. */
static int parse_value(struct parser *p, struct value *v)
{
	char digits[24];
	if (p->token.kind == TOKEN_TEXT) {
		v->is_text = true;
		v->text = copy_text(&p->token);
		if (!v->text)
			return berth_fail_memory(p->err);
	} else if (p->token.kind == TOKEN_NUMBER) {
		snprintf(digits, sizeof digits, "%.*s",
			 p->token.count < sizeof digits ? (int)p->token.count : 0, p->token.at);
		if (!text_parse_i64(digits, -((int64_t)1 << 53), (int64_t)1 << 53, &v->number))
			return fail_here(p, "a whole number within 2^53");
	} else if (token_is(p, "true") || token_is(p, "false")) {
		v->is_boolean = true;
		v->number = p->token.at[0] == 't';
	} else {
		return fail_here(p, "a value: 'text', a whole number, true or false");
	}
	return advance(p);
}

static int parse_values(struct parser *p, struct node *n)
{
	int r;
	if (!token_is(p, "("))
		return fail_here(p, "( after in");
	do {
		if (n->value_count == ARRAY_COUNT(n->values))
			return berth_fail(p->err, BERTH_E_LIMIT,
					  "filter: more than %zu values in one list",
					  ARRAY_COUNT(n->values));
		r = advance(p);
		if (!r)
			r = parse_value(p, &n->values[n->value_count++]);
	} while (!r && token_is(p, ","));
	if (r)
		return r;
	return token_is(p, ")") ? advance(p) : fail_here(p, ", or )");
}

static int parse_operator(struct parser *p, struct node *n)
{
	for (size_t i = 0; i < ARRAY_COUNT(operators); i++)
		if (token_is(p, operators[i].word)) {
			n->op = (enum operator)i;
			return advance(p);
		}
	return fail_here(p, "one of eq, ne, gt, ge, lt, le, like, in");
}

static int fill_term(struct parser *p, struct node *n)
{
	int r;
	if (p->token.kind != TOKEN_WORD || p->token.count >= sizeof n->field)
		return fail_here(p, "a field, not or (");
	if (++p->term_count > FILTER_TERMS_MAX)
		return berth_fail(p->err, BERTH_E_LIMIT, "filter: more than %d terms",
				  FILTER_TERMS_MAX);
	memcpy(n->field, p->token.at, p->token.count);
	r = advance(p);
	if (!r)
		r = parse_operator(p, n);
	if (r)
		return r;
	if (n->op == OP_IN)
		return parse_values(p, n);
	n->value_count = 1;
	return parse_value(p, &n->values[0]);
}

static struct node *parse_group(struct parser *p)
{
	struct node *n = advance(p) ? NULL : parse_or(p);
	if (!n)
		return NULL;
	if (!token_is(p, ")"))
		fail_here(p, ")");
	else if (!advance(p))
		return n;
	node_free(n);
	return NULL;
}

static struct node *parse_negation(struct parser *p);

static struct node *parse_term(struct parser *p)
{
	struct node *n;
	if (token_is(p, "not"))
		return parse_negation(p);
	if (token_is(p, "("))
		return parse_group(p);
	n = node_new(p, NODE_TERM);
	if (n && fill_term(p, n)) {
		node_free(n);
		return NULL;
	}
	return n;
}

/* Counts one level in; false: too deep. */
static bool enter(struct parser *p)
{
	if (p->depth++ < FILTER_DEPTH_MAX)
		return true;
	berth_fail(p->err, BERTH_E_LIMIT, "filter: nested deeper than %d levels", FILTER_DEPTH_MAX);
	return false;
}

static struct node *parse_negation(struct parser *p)
{
	struct node *n = NULL;
	if (enter(p) && !advance(p))
		n = node_new(p, NODE_NOT);
	if (n) {
		n->left = parse_term(p);
		if (!n->left) {
			node_free(n);
			n = NULL;
		}
	}
	p->depth--;
	return n;
}

/* Joins terms by word; sub parses what binds tighter. */
static struct node *parse_chain(struct parser *p, const char *word, enum node_kind kind,
				struct node *(*sub)(struct parser *))
{
	struct node *left = sub(p);
	while (left && token_is(p, word)) {
		struct node *n = advance(p) ? NULL : node_new(p, kind);
		if (!n) {
			node_free(left);
			return NULL;
		}
		n->left = left;
		n->right = sub(p);
		left = n;
		if (!n->right) {
			node_free(n);
			return NULL;
		}
	}
	return left;
}

static struct node *parse_and(struct parser *p)
{
	return parse_chain(p, "and", NODE_AND, parse_term);
}

static struct node *parse_or(struct parser *p)
{
	struct node *n = NULL;
	if (enter(p))
		n = parse_chain(p, "or", NODE_OR, parse_and);
	p->depth--;
	return n;
}

int filter_parse(const char *text, struct filter **ret, struct berth_error *err)
{
	struct parser p = {.text = text, .next = text, .err = err};
	struct filter *f;
	int r;

	if (strlen(text) > FILTER_BYTES_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "filter: longer than %d bytes",
				  FILTER_BYTES_MAX);
	r = advance(&p);
	if (r)
		return r;
	struct node *root = parse_or(&p);
	if (!root)
		return err->code;
	if (p.token.kind != TOKEN_END) {
		r = fail_here(&p, "and, or, or the end");
		node_free(root);
		return r;
	}
	f = calloc(1, sizeof *f);
	if (!f) {
		node_free(root);
		return berth_fail_memory(err);
	}
	f->root = root;
	*ret = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	node_free(f->root);
	free(f);
}

/* The compiler. */

struct compiler {
	const struct store_table *table;
	struct buf *sql;
	struct filter_values *values;
	struct berth_error *err;
};

/* A glob as a LIKE pattern: * any, ? one, all else itself. */
static char *like_of_glob(const char *glob)
{
	char *to = malloc(2 * strlen(glob) + 1), *w = to;
	if (!to)
		return NULL;
	for (; *glob; glob++) {
		if (*glob == '%' || *glob == '_' || *glob == '\\')
			*w++ = '\\';
		*w++ = *glob == '*' ? '%' : *glob == '?' ? '_' : *glob;
	}
	*w = 0;
	return to;
}

static int fail_value(const struct compiler *c, const struct node *n, const char *wanted)
{
	return berth_fail(c->err, BERTH_E_INVALID, "filter: %s %s wants %s", n->field,
			  operators[n->op].word, wanted);
}

static int bind_value(const struct compiler *c, const struct node *n, struct value *v,
		      enum store_type type)
{
	struct store_value *to = &c->values->items[c->values->count];
	int64_t unix_ms;

	if (c->values->count == FILTER_VALUES_MAX)
		return berth_fail(c->err, BERTH_E_LIMIT, "filter: more than %d values",
				  FILTER_VALUES_MAX);
	switch (type) {
	case STORE_TEXT:
		if (!v->is_text)
			return fail_value(c, n, "a quoted text");
		*to = (struct store_value)V_TEXT(v->text);
		break;
	case STORE_TIME:
		if (!v->is_text || !clock_parse(v->text, &unix_ms))
			return fail_value(c, n, "a quoted time like '2026-01-31T12:00:00Z'");
		*to = (struct store_value)V_INT(unix_ms);
		break;
	case STORE_BOOL:
		if (!v->is_boolean)
			return fail_value(c, n, "true or false");
		*to = (struct store_value)V_INT(v->number);
		break;
	default:
		if (v->is_text || v->is_boolean)
			return fail_value(c, n, "a whole number");
		*to = (struct store_value)V_INT(v->number);
		break;
	}
	c->values->count++;
	return 0;
}

static int compile_like(const struct compiler *c, struct node *n, const struct store_column *column)
{
	char *pattern;
	if (column->type != STORE_TEXT || !n->values[0].is_text)
		return fail_value(c, n, "a text field and a quoted pattern");
	pattern = like_of_glob(n->values[0].text);
	if (!pattern)
		return berth_fail_memory(c->err);
	free(n->values[0].text);
	n->values[0].text = pattern;
	int r = bind_value(c, n, &n->values[0], STORE_TEXT);
	return r ? r : buf_printf(c->sql, c->err, "%s LIKE ? ESCAPE '\\'", column->column);
}

static int compile_term(const struct compiler *c, struct node *n)
{
	const struct store_column *column = store_field(c->table, n->field);
	int r = 0;

	if (!column)
		return store_no_field(c->table, "filter", n->field, c->err);
	if (n->op == OP_LIKE)
		return compile_like(c, n, column);
	for (size_t i = 0; !r && i < n->value_count; i++)
		r = bind_value(c, n, &n->values[i], column->type);
	if (r)
		return r;
	if (n->op != OP_IN)
		return buf_printf(c->sql, c->err, "%s %s ?", column->column, operators[n->op].sql);
	r = buf_printf(c->sql, c->err, "%s IN (", column->column);
	for (size_t i = 0; !r && i < n->value_count; i++)
		r = buf_add_text(c->sql, i ? ", ?" : "?", c->err);
	return r ? r : buf_add_text(c->sql, ")", c->err);
}

static int compile(const struct compiler *c, struct node *n)
{
	int r;
	if (n->kind == NODE_TERM)
		return compile_term(c, n);
	r = buf_add_text(c->sql, n->kind == NODE_NOT ? "NOT (" : "(", c->err);
	if (!r)
		r = compile(c, n->left);
	if (!r && n->kind != NODE_NOT)
		r = buf_add_text(c->sql, n->kind == NODE_AND ? " AND " : " OR ", c->err);
	if (!r && n->kind != NODE_NOT)
		r = compile(c, n->right);
	return r ? r : buf_add_text(c->sql, ")", c->err);
}

int filter_compile(struct filter *f, const struct store_table *table, struct buf *sql,
		   struct filter_values *values, struct berth_error *err)
{
	const struct compiler c = {.table = table, .sql = sql, .values = values, .err = err};
	values->count = 0;
	return compile(&c, f->root);
}
