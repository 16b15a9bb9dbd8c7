/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfigs: what is taken out of one, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "short_memory.h"

#include "core/api/kubeconfig.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/base/yaml_in.h"

/* "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n" */
#define PEM_B64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define PEM_TEXT "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
#define CONTEXTS                                                                                   \
	"contexts:\n- {name: c, context: {cluster: a, user: u}}\n"                                 \
	"- {name: d, context: {cluster: b, user: v}}\ncurrent-context: c\n"

static void with(const char *cluster, const char *user, char *to, size_t room)
{
	snprintf(to, room,
		 "apiVersion: v1\nkind: Config\npreferences: {}\n" CONTEXTS
		 "clusters:\n- {name: a, cluster: {%s}}\n"
		 "- {name: b, cluster: {server: \"https://other\"}}\n"
		 "users:\n- {name: u, user: {%s}}\n- {name: v, user: {token: second}}\n",
		 cluster, user);
}

static void check_refused(const char *text, const char *context, const char *words)
{
	struct berth_error err = ERROR_INIT;
	json_t *found = NULL;

	assert_int_not_equal(kubeconfig_read(text, context, &found, &err), 0);
	AUTO_FREE char *said = text_printf("%s: %s", err.message, err.cause);
	if (!strstr(said, words))
		fail_msg("'%s' is not in: %s", words, said);
	assert_null(found);
}

static void refused(const char *cluster, const char *user, const char *words)
{
	char text[2048];

	with(cluster, user, text, sizeof(text));
	check_refused(text, NULL, words);
}

#define SERVER "server: \"https://kube.example:6443/k8s/c1\""

static void a_token_and_an_authority_are_taken(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *found = NULL;
	char text[2048];

	(void)state;
	with(SERVER ", certificate-authority-data: " PEM_B64 ", proxy-url: \"http://p:3128\"",
	     "token: first", text, sizeof(text));
	assert_int_equal(kubeconfig_read(text, NULL, &found, &err), 0);
	assert_string_equal(js_str(found, "address", ""), "https://kube.example:6443/k8s/c1");
	assert_string_equal(js_str(found, "token", ""), "first");
	assert_string_equal(js_str(found, "proxy", ""), "http://p:3128");
	const json_t *tls = json_object_get(found, "tls");
	assert_string_equal(js_str(tls, "ca", ""), PEM_TEXT);
	assert_true(js_bool(tls, "verify", false));
	assert_null(json_object_get(tls, "client_key"));
}

static void a_client_certificate_is_taken_and_skipping_the_check_is_kept(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *found = NULL;
	char text[2048];

	(void)state;
	with(SERVER ", insecure-skip-tls-verify: true",
	     "client-certificate-data: " PEM_B64 ", client-key-data: " PEM_B64, text, sizeof(text));
	assert_int_equal(kubeconfig_read(text, "c", &found, &err), 0);
	const json_t *tls = json_object_get(found, "tls");
	assert_string_equal(js_str(tls, "client_cert", ""), PEM_TEXT);
	assert_string_equal(js_str(tls, "client_key", ""), PEM_TEXT);
	assert_false(js_bool(tls, "verify", true));
	assert_null(json_object_get(found, "token"));
}

static void another_context_is_taken_by_its_name(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *found = NULL;
	char text[2048];

	(void)state;
	with(SERVER, "exec: {command: id}", text, sizeof(text));
	assert_int_equal(kubeconfig_read(text, "d", &found, &err), 0);
	assert_string_equal(js_str(found, "address", ""), "https://other");
	assert_string_equal(js_str(found, "token", ""), "second");
	check_refused(text, "e", "no context 'e'; it has c, d");
}

static void files_and_programs_are_refused_with_what_to_do(void **state)
{
	(void)state;
	refused(SERVER ", certificate-authority: /etc/ca.crt", "token: t", "--flatten");
	refused(SERVER, "client-certificate: a.crt, client-key: a.key", "client-certificate-data");
	refused(SERVER, "tokenFile: /run/token", "names a file");
	refused(SERVER, "exec: {command: aws}", "run a program");
	refused(SERVER, "auth-provider: {name: gcp}", "1.26");
	refused(SERVER, "username: a, password: b", "basic authentication");
	refused(SERVER, "token: t, as: root", "impersonation");
	refused(SERVER ", tls-server-name: x", "token: t", "tls-server-name");
}

static void what_is_missing_or_twice_is_named(void **state)
{
	(void)state;
	refused("server: \"\"", "token: t", "has no server");
	refused(SERVER, "namespace: x", "neither a token");
	refused(SERVER, "token: t, client-certificate-data: " PEM_B64 ", client-key-data: " PEM_B64,
		"never look at the token");
	refused(SERVER ", certificate-authority-data: \"%%%\"", "token: t", "not base64");
	refused(SERVER ", certificate-authority-data: \"QUJD\"", "token: t", "not PEM");
	refused(SERVER ", insecure-skip-tls-verify: \"maybe\"", "token: t", "not true or false");
	refused(SERVER, "token: 12345", "not a text");
	check_refused("kind: Config\nclusters: []\n", NULL, "no current-context");
	check_refused("kind: Pod\n", NULL, "not a kubeconfig");
	check_refused("kind: Config\n---\nkind: Config\n", NULL, "2 documents");
	check_refused("current-context: c\nclusters: []\n", NULL, "has no contexts");
}

static void hostile_text_meets_a_cap(void **state)
{
	AUTO_FREE char *big = malloc(YAML_BYTES_MAX + 2);

	(void)state;
	check_refused("a: &x [1]\nb: *x\n", NULL, "anchors");
	check_refused("a: [", NULL, "line");
	memset(big, '[', YAML_BYTES_MAX + 1);
	big[YAML_BYTES_MAX + 1] = '\0';
	check_refused(big, NULL, "more than");
	*big = ' ', big[200] = '\0';
	check_refused(big, NULL, "can't be read");
}

static void no_refusal_repeats_a_credential(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *found = NULL;
	char text[2048];

	(void)state;
	with(SERVER ", certificate-authority: x", "token: canary-value", text, sizeof(text));
	assert_int_not_equal(kubeconfig_read(text, NULL, &found, &err), 0);
	assert_null(strstr(err.message, "canary"));
	assert_null(strstr(err.cause, "canary"));
}

/* It is not called wrong. */
static void without_memory_nothing_is_said_of_it(void **state)
{
	struct berth_error err = ERROR_INIT;
	char text[2048];
	bool failed;
	int n = 0, code;

	(void)state;
	with("server: \"https://a\", certificate-authority-data: " PEM_B64,
	     "client-certificate-data: " PEM_B64 ", client-key-data: " PEM_B64, text, sizeof(text));
	do {
		json_t *found AUTO_JSON = NULL;
		fail_at(++n);
		code = kubeconfig_read(text, NULL, &found, &err);
		failed = has_failed();
		assert_int_equal(code, failed ? BERTH_E_NO_MEMORY : 0);
	} while (failed);
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_and_an_authority_are_taken),
		cmocka_unit_test(without_memory_nothing_is_said_of_it),
		cmocka_unit_test(a_client_certificate_is_taken_and_skipping_the_check_is_kept),
		cmocka_unit_test(another_context_is_taken_by_its_name),
		cmocka_unit_test(files_and_programs_are_refused_with_what_to_do),
		cmocka_unit_test(what_is_missing_or_twice_is_named),
		cmocka_unit_test(hostile_text_meets_a_cap),
		cmocka_unit_test(no_refusal_repeats_a_credential),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
