/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the registry client: names, challenges, realms, tokens,
 * links, manifests, lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/oci/challenge.h"
#include "core/oci/link.h"
#include "core/oci/lists.h"
#include "core/oci/manifest.h"
#include "core/oci/realm.h"
#include "core/oci/reference.h"
#include "core/oci/registry_private.h"
#include "core/oci/token.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64

/* --- references --- */

static void references_are_taken_apart(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct reference r;
	(void)state;
	assert_int_equal(reference_parse("prod/shop/web:1.0@" DIGEST, &r, &err), 0);
	assert_string_equal(r.integration, "prod");
	assert_string_equal(r.repository, "shop/web");
	assert_string_equal(r.tag, "1.0");
	assert_string_equal(r.digest, DIGEST);
	assert_int_equal(reference_parse("a.b/c", &r, &err), 0);
	assert_string_equal(r.tag, "");
	assert_string_equal(r.digest, "");
}

static void a_bad_reference_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"nginx", "no reference"},
		{"", "no reference"},
		{"Prod/web", "no integration's name"},
		{"localhost:5000/web", "host and port"},
		{"[::1]:5000/web", "host and port"},
		{"registry:65536/web", "host and port"},
		{"prod/Web", "upper case"},
		{"prod/", "empty"},
		{"prod//web", "must begin with"},
		{"prod/web/", "must begin with"},
		{"prod/web:", "tag is empty"},
		{"prod/web:-a", "no tag"},
		{"prod/web:a b", "no tag"},
		{"prod/web@sha256:12", "no"},
		{"prod/web@md5:" HEX64, "not a digest"},
		{"prod/web@", "not a digest"},
		{"prod/we b", "can't stand there"},
		{"prod/a...b", "can't stand there"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct reference r;
		assert_int_equal(reference_parse(cases[i].text, &r, &err), BERTH_E_INVALID);
		if (!strstr(err.message, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.message);
	}
}

static void lengths_are_capped_as_the_specification_says(void **state)
{
	struct berth_error err = ERROR_INIT;
	char name[300], tag[300];
	(void)state;
	memset(name, 'a', sizeof name);
	memset(tag, 'b', sizeof tag);
	name[REPOSITORY_MAX_BYTES] = tag[TAG_MAX_BYTES] = 0;
	assert_int_equal(reference_check_repository(name, &err), 0);
	assert_int_equal(reference_check_tag(tag, &err), 0);
	name[REPOSITORY_MAX_BYTES] = 'a';
	tag[TAG_MAX_BYTES] = 'b';
	name[REPOSITORY_MAX_BYTES + 1] = tag[TAG_MAX_BYTES + 1] = 0;
	assert_int_equal(reference_check_repository(name, &err), BERTH_E_INVALID);
	assert_int_equal(reference_check_tag(tag, &err), BERTH_E_INVALID);
}

static void repositories_follow_the_grammar(void **state)
{
	static const char *const good[] = {"a", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1"};
	static const char *const bad[] = {"a..b", "a___b", ".a",   "a.", "a_",
					  "-a",   "a-",    "a/.b", "A"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(reference_is_repository(good[i]));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(reference_is_repository(bad[i]));
}

static void the_stand_in_tag_is_made_of_the_digest(void **state)
{
	char tag[TAG_MAX_BYTES + 1];
	(void)state;
	reference_fallback_tag(DIGEST, tag);
	assert_string_equal(tag, "sha256-" HEX64);
	assert_true(reference_is_tag(tag));
}

/* --- challenges --- */

static struct challenge parsed(const char *a, const char *b)
{
	struct challenge c = {0};
	challenge_parse(a, &c);
	if (b)
		challenge_parse(b, &c);
	return c;
}

static void challenges_are_read_in_every_spelling(void **state)
{
	struct challenge c = parsed("Bearer realm=\"https://a/t\",service=\"r\",scope=\"repository:"
				    "x:pull,push registry:catalog:*\"",
				    NULL);
	(void)state;
	assert_true(c.has_bearer);
	assert_string_equal(c.realm, "https://a/t");
	assert_string_equal(c.scope, "repository:x:pull,push registry:catalog:*");
	c = parsed("Basic realm=\"x, Bearer realm=y\", bearer Realm = \"https://b\\\"/t\"", NULL);
	assert_true(c.has_basic && c.has_bearer);
	assert_string_equal(c.realm, "https://b\"/t");
	c = parsed("Negotiate abc==, Basic realm=x", "BEARER realm=https://c/t");
	assert_true(c.has_basic && c.has_bearer);
	assert_string_equal(c.realm, "https://c/t");
	c = parsed("Bearer realm=\"https://one\", Bearer realm=\"https://two\"", NULL);
	assert_string_equal(c.realm, "https://one");
}

static void malformed_challenges_offer_nothing(void **state)
{
	static const char *const bad[] = {"",
					  ",,,,",
					  "Bearer",
					  "Bearer realm=\"x",
					  "Bearer service=a",
					  "=\"\"",
					  "Bearer realm=a, realm=b"};
	char longer[4096];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(parsed(bad[i], NULL).has_bearer);
	snprintf(longer, sizeof longer, "Bearer realm=\"https://%03000d\"", 1);
	assert_false(parsed(longer, NULL).has_bearer);
	assert_true(parsed("Basic", NULL).has_basic);
}

/* --- realms --- */

static void the_realm_rule_decides_where_a_password_goes(void **state)
{
	static const struct {
		const char *registry, *realm, *list;
		bool allowed;
	} cases[] = {
		{"https://r.example.com", "https://r.example.com/token", NULL, true},
		{"https://r.example.com", "https://auth.example.com:8443/t", NULL, true},
		{"https://registry-1.docker.io", "https://auth.docker.io/token", NULL, true},
		{"https://a.co.uk", "https://b.co.uk/t", NULL, false},
		{"https://r.example.com", "https://example.com.evil.net/t", NULL, false},
		{"https://r.example.com", "https://evil.net/t", NULL, false},
		{"https://r.example.com", "https://evil.net/t", "evil.net", true},
		{"https://r.example.com", "https://evil.net:444/t", "evil.net:443", false},
		{"https://r.example.com", "http://r.example.com/t", NULL, false},
		{"https://r.example.com", "http://r.example.com/t", "r.example.com", false},
		{"http://r.example.com", "http://r.example.com:5001/t", NULL, true},
		{"http://r.example.com", "http://auth.example.com/t", NULL, false},
		{"http://r.example.com", "https://auth.example.com/t", NULL, true},
		{"https://r.example.com", "https://127.0.0.1/t", "127.0.0.1", false},
		{"https://r.example.com", "https://localhost/t", "localhost", false},
		{"https://r.example.com", "https://2130706433/t", "127.0.0.1", false},
		{"https://127.0.0.1:5000", "https://127.0.0.1:5001/t", NULL, true},
		{"https://127.0.0.1:5000", "https://127.0.0.2/t", NULL, false},
		{"https://r.example.com", "ftp://r.example.com/t", NULL, false},
		{"https://r.example.com", "https://r.example.com@evil.net/t", NULL, false},
		{"https://r.example.com", "https://evil.net\\@r.example.com/t", NULL, false},
		{"https://r.example.com", "/token", NULL, false},
		{"https://R.example.COM.", "https://r.EXAMPLE.com/t", NULL, true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct url_origin o;
		assert_int_equal(url_parse_origin(cases[i].registry, &o, &err), 0);
		bool allowed = realm_check(cases[i].realm, &o, cases[i].list, &err) == 0;
		if (allowed != cases[i].allowed)
			fail_msg("%s asked for by %s", cases[i].realm, cases[i].registry);
	}
}

/* --- tokens --- */

static void token_lives_are_bounded(void **state)
{
	static const struct {
		const char *body;
		uint32_t expires_s;
	} cases[] = {
		{"{\"token\":\"a\"}", 60},
		{"{\"token\":\"a\",\"expires_in\":0}", 60},
		{"{\"token\":\"a\",\"expires_in\":-5}", 60},
		{"{\"access_token\":\"a\",\"expires_in\":300}", 300},
		{"{\"access_token\":\"\",\"token\":\"a\",\"expires_in\":315360000}", 86400},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct token_answer a = {0};
		assert_int_equal(token_parse(cases[i].body, strlen(cases[i].body), &a, &err), 0);
		assert_string_equal(a.token, "a");
		assert_int_equal(a.expires_s, cases[i].expires_s);
		token_answer_done(&a);
	}
}

static void a_token_that_could_split_a_header_is_refused(void **state)
{
	static const char *const bad[] = {"{}",
					  "[]",
					  "{\"token\":5}",
					  "{\"token\":\"\"}",
					  "nonsense",
					  "{\"token\":\"a\\r\\nb\"}",
					  "{\"token\":\"a b\"}"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct berth_error err = ERROR_INIT;
		struct token_answer a = {0};
		assert_int_equal(token_parse(bad[i], strlen(bad[i]), &a, &err), BERTH_E_PROTOCOL);
	}
}

static void wider_tokens_cover_narrower_scopes(void **state)
{
	(void)state;
	assert_true(token_covers("repository:a:pull,push", "repository:a:pull"));
	assert_true(token_covers("repository:a:pull,push repository:b:pull", "repository:b:pull"));
	assert_false(token_covers("repository:a:pull", "repository:a:pull,push"));
	assert_false(token_covers("repository:a:pull", "repository:ab:pull"));
	assert_false(token_covers("repository:a:pull,push", "repository:a:pull repository:b:pull"));
	assert_false(token_covers("repository:a:pull", ""));
	assert_true(token_covers("", ""));
}

/* --- links --- */

static void the_next_link_is_found_among_others(void **state)
{
	static const struct {
		const char *header, *next;
	} cases[] = {
		{"</v2/_catalog?last=a&n=2>; rel=\"next\"", "/v2/_catalog?last=a&n=2"},
		{"</p?q=a,b>; rel=\"prev\" , </n?q=a,b;c>; rel=\"next\"", "/n?q=a,b;c"},
		{"<x>; rel=prev; title=\"rel=next\"", NULL},
		{"<x>; title=\"rel=prev\"", "x"},
		{"<x>; rel=\"prev next\"", "x"},
		{"<x>; rel=next", "x"},
		{"<x>;REL=NEXT", "x"},
		{"<x>", "x"}, /* else a list would be cut short in silence */
		{"<x>; rel=\"\"", NULL},
		{"", NULL},
		{"<x>; rel=nextish", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_FREE char *next = NULL;
		assert_int_equal(link_find_next(cases[i].header, &next, &err), 0);
		if (cases[i].next)
			assert_string_equal(next, cases[i].next);
		else
			assert_null(next);
	}
}

static void the_next_page_is_asked_for_at_home(void **state)
{
	static const struct {
		const char *header, *path;
	} cases[] = {
		{"<http://evil.net/v2/_catalog?last=a>; rel=next", "/v2/_catalog?last=a"},
		{"<//evil.net:1/v2/_catalog?last=b>; rel=next", "/v2/_catalog?last=b"},
		{"</art/v2/_catalog?last=c>; rel=next", "/v2/_catalog?last=c"},
		{"<?last=d e>; rel=next", "/v2/_catalog?last=d%20e"},
		{"<file:///etc/passwd>; rel=next", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_FREE char *path = NULL;
		int r = link_next_path(cases[i].header, "https://r/art/v2/_catalog?n=2",
				       "https://r/art", &path, &err);
		if (!cases[i].path) {
			assert_int_equal(r, BERTH_E_PROTOCOL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(path, cases[i].path);
	}
}

static void pages_that_go_round_are_found(void **state)
{
	(void)state;
	for (unsigned length = 1; length < 40; length++) {
		struct trail round = {0}, straight = {0};
		unsigned asked = 0;
		char path[40];
		do
			snprintf(path, sizeof path, "/v2/a/tags/list?last=%u", asked % length);
		while (!trail_repeats(&round, path) && ++asked < 1000);
		assert_true(asked >= length && asked <= 3 * length + 1);
		for (unsigned i = 0; i < 1000; i++) {
			snprintf(path, sizeof path, "/v2/a/tags/list?last=%u", i);
			assert_false(trail_repeats(&straight, path));
		}
	}
}

/* --- retries --- */

static void retry_after_is_clamped(void **state)
{
	const int64_t now = 1767323045000; /* Fri, 02 Jan 2026 03:04:05 GMT */
	(void)state;
	assert_int_equal(retry_parse(NULL, now, 300000), -1);
	assert_int_equal(retry_parse("5", now, 300000), 5000);
	assert_int_equal(retry_parse("1000000000", now, 300000), 300000);
	assert_int_equal(retry_parse("99999999999999999999", now, 300000), 300000);
	assert_int_equal(retry_parse("-5", now, 300000), 0);
	assert_int_equal(retry_parse("soon", now, 300000), 0);
	assert_int_equal(retry_parse("Fri, 02 Jan 2026 03:04:15 GMT", now, 300000), 10000);
	assert_int_equal(retry_parse("Fri, 02 Jan 2015 03:04:05 GMT", now, 300000), 0);
}

/* --- manifests --- */

#define LAYER "{\"mediaType\":\"x/l\",\"digest\":\"" DIGEST "\",\"size\":7}"
#define CONFIG                                                                                     \
	"\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" DIGEST "\",\"size\":2}"
#define IMAGE "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "]}"
#define INDEX "{\"schemaVersion\":2,\"manifests\":[" LAYER "]}"

static void manifests_are_read(void **state)
{
	struct berth_error err = ERROR_INIT;
	(void)state;
	AUTO(manifest) struct manifest *m = NULL, *n = NULL;
	assert_int_equal(manifest_parse(IMAGE, strlen(IMAGE), MEDIA_OCI_MANIFEST "; charset=utf-8",
					&m, &err),
			 0);
	assert_int_equal(m->kind, MANIFEST_IMAGE);
	assert_int_equal(m->layer_count, 1);
	assert_int_equal(m->layers[0].size, 7);
	assert_string_equal(manifest_thing(m), "image");
	assert_int_equal(manifest_bytes(m), 2); /* the layer has the config's digest */
	assert_int_equal(manifest_parse(INDEX, strlen(INDEX), NULL, &n, &err), 0);
	assert_int_equal(n->kind, MANIFEST_INDEX);
	assert_string_equal(n->media_type, MEDIA_OCI_INDEX);
}

static void a_manifest_with_two_meanings_is_refused(void **state)
{
	static const struct {
		const char *body, *type;
		int code;
	} cases[] = {
		{INDEX, MEDIA_OCI_MANIFEST, BERTH_E_PROTOCOL},
		{IMAGE, MEDIA_OCI_INDEX, BERTH_E_PROTOCOL},
		{IMAGE, MEDIA_DOCKER_MANIFEST, BERTH_E_PROTOCOL}, /* says no type inside */
		{IMAGE, "text/html", BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"," CONFIG
		 ",\"layers\":[]}",
		 MEDIA_OCI_MANIFEST, BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":2,\"manifests\":[]," CONFIG ",\"layers\":[]}", NULL,
		 BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":2,\"schemaVersion\":2,\"manifests\":[]}", NULL,
		 BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, BERTH_E_UNSUPPORTED},
		{"{}", MEDIA_DOCKER_V1 "+prettyjws", BERTH_E_UNSUPPORTED},
		{"{\"schemaVersion\":2,\"manifests\":null}", NULL, BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":2," CONFIG ",\"layers\":null}", NULL, BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":2," CONFIG "}", NULL, BERTH_E_PROTOCOL},
		{"{\"schemaVersion\":\"2\",\"manifests\":[]}", NULL, BERTH_E_PROTOCOL},
		{"[]", NULL, BERTH_E_PROTOCOL},
		{"{}", NULL, BERTH_E_PROTOCOL},
		{"<html>", NULL, BERTH_E_PROTOCOL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO(manifest) struct manifest *m = NULL;
		int r = manifest_parse(cases[i].body, strlen(cases[i].body), cases[i].type, &m,
				       &err);
		if (r != cases[i].code)
			fail_msg("case %zu: %d %s", i, r, err.message);
	}
}

static int parse_layer(const char *descriptor)
{
	struct berth_error err = ERROR_INIT;
	char body[2048];
	AUTO(manifest) struct manifest *m = NULL;
	int n = snprintf(body, sizeof body, "{\"schemaVersion\":2," CONFIG ",\"layers\":[%s]}",
			 descriptor);
	return manifest_parse(body, (size_t)n, NULL, &m, &err);
}

static void impossible_descriptors_are_refused(void **state)
{
	static const char *const bad[] = {
		"5",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\"}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":-1}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":1.0}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":\"1\"}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":9223372036854775807}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":9223372036854775808}",
		"{\"mediaType\":\"x\",\"digest\":\"sha256:12\",\"size\":1}",
		"{\"mediaType\":\"x\",\"digest\":\"md5:" HEX64 "\",\"size\":1}",
		"{\"digest\":\"" DIGEST "\",\"size\":1}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST "\",\"size\":1,\"urls\":5}",
		"{\"mediaType\":\"x\",\"digest\":\"" DIGEST
		"\",\"size\":1,\"annotations\":{\"a\":1}}",
	};
	(void)state;
	assert_int_equal(parse_layer(LAYER), 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		if (parse_layer(bad[i]) != BERTH_E_PROTOCOL)
			fail_msg("%s", bad[i]);
}

static void too_many_children_are_refused(void **state)
{
	struct berth_error err = ERROR_INIT;
	struct buf body;
	AUTO(manifest) struct manifest *m = NULL;
	(void)state;
	buf_init(&body, MANIFEST_MAX_BYTES);
	assert_int_equal(buf_add_text(&body, "{\"schemaVersion\":2,\"manifests\":[" LAYER, &err),
			 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_add_text(&body, "," LAYER, &err), 0);
	assert_int_equal(buf_add_text(&body, "]}", &err), 0);
	assert_int_equal(manifest_parse(buf_text(&body), body.byte_count, NULL, &m, &err),
			 BERTH_E_LIMIT);
	buf_done(&body);
}

static void things_are_told_by_their_types(void **state)
{
	(void)state;
	assert_string_equal(media_thing(NULL, MEDIA_OCI_CONFIG, "x"), "image");
	assert_string_equal(media_thing(NULL, "application/vnd.cncf.helm.config.v1+json", NULL),
			    "helm-chart");
	assert_string_equal(media_thing("application/spdx+json", MEDIA_OCI_EMPTY, NULL), "sbom");
	assert_string_equal(media_thing(NULL, MEDIA_OCI_CONFIG,
					"application/vnd.dev.cosign.simplesigning.v1+json"),
			    "signature");
	assert_string_equal(media_thing(NULL, MEDIA_OCI_CONFIG, "application/vnd.in-toto+json"),
			    "attestation");
	assert_string_equal(media_thing("text/x", NULL, NULL), "artifact");
}

/* --- lists --- */

static void pages_are_lists_of_texts(void **state)
{
	static const struct {
		enum list_kind kind;
		const char *body;
		int code;
		size_t count;
	} cases[] = {
		{LIST_TAGS, "{\"tags\":[\"a\",\"b\"]}", 0, 2},
		{LIST_TAGS, "{\"tags\":null}", 0, 0},
		{LIST_TAGS, "{}", BERTH_E_PROTOCOL, 0},
		{LIST_TAGS, "{\"tags\":{}}", BERTH_E_PROTOCOL, 0},
		{LIST_TAGS, "{\"tags\":[1]}", BERTH_E_PROTOCOL, 0},
		{LIST_CATALOG, "{\"repositories\":[\"a\"]}", 0, 1},
		{LIST_CATALOG, "{\"tags\":[]}", BERTH_E_PROTOCOL, 0},
		{LIST_CATALOG, "<html>", BERTH_E_PROTOCOL, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_JSON json_t *items = NULL;
		assert_int_equal(list_parse_page(cases[i].kind, cases[i].body,
						 strlen(cases[i].body), &items, &err),
				 cases[i].code);
		assert_int_equal(json_array_size(items), cases[i].count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_taken_apart),
		cmocka_unit_test(a_bad_reference_is_refused_with_its_reason),
		cmocka_unit_test(lengths_are_capped_as_the_specification_says),
		cmocka_unit_test(repositories_follow_the_grammar),
		cmocka_unit_test(the_stand_in_tag_is_made_of_the_digest),
		cmocka_unit_test(challenges_are_read_in_every_spelling),
		cmocka_unit_test(malformed_challenges_offer_nothing),
		cmocka_unit_test(the_realm_rule_decides_where_a_password_goes),
		cmocka_unit_test(token_lives_are_bounded),
		cmocka_unit_test(a_token_that_could_split_a_header_is_refused),
		cmocka_unit_test(wider_tokens_cover_narrower_scopes),
		cmocka_unit_test(the_next_link_is_found_among_others),
		cmocka_unit_test(the_next_page_is_asked_for_at_home),
		cmocka_unit_test(pages_that_go_round_are_found),
		cmocka_unit_test(retry_after_is_clamped),
		cmocka_unit_test(manifests_are_read),
		cmocka_unit_test(a_manifest_with_two_meanings_is_refused),
		cmocka_unit_test(impossible_descriptors_are_refused),
		cmocka_unit_test(too_many_children_are_refused),
		cmocka_unit_test(things_are_told_by_their_types),
		cmocka_unit_test(pages_are_lists_of_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
