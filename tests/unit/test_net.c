/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, origins, kinds of addresses, PEM texts, and the loop's timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "core/net/address.h"
#include "core/net/http.h"
#include "core/net/loop.h"
#include "core/net/url.h"

static void origins_are_compared_as_the_network_sees_them(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"https://r.example", "https://R.EXAMPLE:443/x", true},
		{"https://r.example.", "https://r.example", true},
		{"http://r.example", "http://r.example:80", true},
		{"http://r.example", "https://r.example", false},
		{"https://r.example", "https://r.example:444", false},
		{"https://r.example", "https://a.r.example", false},
		{"https://u:p@r.example", "https://r.example", true},
		{"http://2130706433", "http://127.0.0.1", true},
		{"http://[::1]:5000", "http://[0:0::1]:5000", true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		struct url_origin a, b;
		assert_int_equal(url_parse_origin(cases[i].a, &a, &err), 0);
		assert_int_equal(url_parse_origin(cases[i].b, &b, &err), 0);
		if (url_same_origin(&a, &b) != cases[i].same)
			fail_msg("%s %s", cases[i].a, cases[i].b);
	}
}

static void what_is_no_address_of_a_registry_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"r.example",
		"ftp://r.example",
		"http://",
		"http://r:65536",
		"http://r:0",
		"http://r ex",
		"http://r/?q",
		"http://r/#f",
		"http://u@r",
		"http://u:p@r",
		"http://r.exampl%e5",
		"http://a%2fb",
		"http://[::1",
		"http://a\\@b",
		"file:///etc",
		"http://r\r\nx",
		"http://\xc3\xbc",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_FREE char *url = NULL;
		if (url_normalize(bad[i], &url, &err) != BERTH_E_INVALID)
			fail_msg("'%s' became '%s'", bad[i], url ? url : err.message);
	}
}

static void addresses_have_one_form(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"HTTPS://R.Example:443/", "https://r.example"},
		{"http://r:5000/a/b//", "http://r:5000/a/b"},
		{"http://[::1]:5000", "http://[::1]:5000"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_FREE char *url = NULL;
		assert_int_equal(url_normalize(cases[i].from, &url, &err), 0);
		assert_string_equal(url, cases[i].to);
	}
}

static void references_are_joined(void **state)
{
	static const struct {
		const char *reference, *joined;
	} cases[] = {
		{"/b?c=1", "http://r:5000/b?c=1"}, {"?c=1", "http://r:5000/v2/a/up?c=1"},
		{"x", "http://r:5000/v2/a/x"},     {"https://u:p@o/x#f", "https://o/x"},
		{"//o:1/x", "http://o:1/x"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct berth_error err = ERROR_INIT;
		AUTO_FREE char *url = NULL;
		assert_int_equal(
			url_join("http://r:5000/v2/a/up?y", cases[i].reference, &url, &err), 0);
		assert_string_equal(url, cases[i].joined);
	}
}

static void queries_are_added(void **state)
{
	AUTO_FREE char *first = url_add_query("http://r/x", "d", "1");
	AUTO_FREE char *next = url_add_query("http://r/x?a=b", "d", "1");
	AUTO_FREE char *none = url_add_query("http://r/x?", "d", "1");
	(void)state;
	assert_string_equal(first, "http://r/x?d=1");
	assert_string_equal(next, "http://r/x?a=b&d=1");
	assert_string_equal(none, "http://r/x?d=1");
}

static void inner_addresses_are_not_public(void **state)
{
	static const char *const inner[] = {
		"127.0.0.1",
		"10.1.2.3",
		"172.16.0.1",
		"172.31.255.255",
		"192.168.1.1",
		"169.254.169.254",
		"100.64.0.1",
		"0.0.0.0",
		"224.0.0.1",
		"255.255.255.255",
		"198.18.0.1",
		"192.0.2.1",
		"::1",
		"::",
		"fe80::1",
		"fd00::1",
		"::ffff:10.0.0.1",
		"64:ff9b::7f00:1",
		"2002:7f00:1::",
		"2001:db8::1",
		"ff02::1",
		"::127.0.0.1",
	};
	static const char *const outer[] = {"1.1.1.1",        "172.15.0.1",      "172.32.0.1",
					    "11.0.0.1",       "100.128.0.1",     "2606:4700::1",
					    "::ffff:1.1.1.1", "64:ff9b::101:101"};
	struct sockaddr_storage a;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(inner); i++) {
		assert_true(address_parse(inner[i], &a));
		if (address_is_public((struct sockaddr *)&a))
			fail_msg("%s", inner[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(outer); i++) {
		assert_true(address_parse(outer[i], &a));
		if (!address_is_public((struct sockaddr *)&a))
			fail_msg("%s", outer[i]);
	}
}

struct order {
	char fired[8];
	size_t count;
	struct net_timer *other;
};

static void fire_a(void *user)
{
	struct order *o = user;
	o->fired[o->count++] = 'a';
}

static void fire_b(void *user)
{
	struct order *o = user;
	o->fired[o->count++] = 'b';
	net_timer_cancel(o->other);
}

static void timers_fire_in_order_and_may_cancel_others(void **state)
{
	struct berth_error err = ERROR_INIT;
	AUTO(net_loop) struct net_loop *loop = NULL;
	struct order o = {0};
	struct net_timer *t;
	(void)state;
	assert_int_equal(net_loop_new(&loop, &err), 0);
	assert_int_equal(net_timer_start(loop, 30, fire_a, &o, &o.other, &err), 0);
	assert_int_equal(net_timer_start(loop, 10, fire_b, &o, &t, &err), 0);
	assert_int_equal(net_timer_start(loop, 5, fire_a, &o, &t, &err), 0);
	assert_int_equal(net_timer_start(loop, 1000000, fire_a, &o, &t, &err), 0);
	net_timer_cancel(t);
	assert_int_equal(net_loop_run(loop, NULL, NULL, &err), 0);
	assert_string_equal(o.fired, "ab");
}

static void keep_error(void *user, const struct berth_error *err)
{
	*(struct berth_error *)user = *err;
}

static void a_public_server_cannot_send_us_inside(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1:9/x", "http://localhost:9/x",
					   "http://[::1]:9/x", "http://0.0.0.0:9/x",
					   "http://2130706433:9/x"};
	static const struct net_settings settings = {.allow_http = true};
	struct berth_error err = ERROR_INIT;
	AUTO(net_loop) struct net_loop *loop = NULL;
	AUTO(net_client) struct net_client *c = NULL;
	(void)state;
	assert_int_equal(net_loop_new(&loop, &err), 0);
	assert_int_equal(net_client_new(loop, &settings, &c, &err), 0);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct berth_error end = ERROR_INIT;
		struct net_exchange *x = NULL;
		struct net_call call = {.method = "GET",
					.url = urls[i],
					.flags = NET_FOREIGN | NET_PUBLIC,
					.done = keep_error,
					.user = &end};
		assert_int_equal(net_exchange_start(c, &call, &x, &err), 0);
		assert_int_equal(net_loop_run(loop, NULL, NULL, &err), 0);
		if (end.code != BERTH_E_ADDRESS || !strstr(end.cause, "not public"))
			fail_msg("%s: %s: %s", urls[i], end.message, end.cause);
		net_exchange_free(x);
	}
}

static void plain_http_needs_to_be_allowed(void **state)
{
	static const struct net_settings settings = {.tls_verify = true};
	struct berth_error err = ERROR_INIT;
	AUTO(net_loop) struct net_loop *loop = NULL;
	AUTO(net_client) struct net_client *c = NULL;
	struct net_exchange *x = NULL;
	struct net_call call = {.method = "GET", .url = "http://127.0.0.1:9/x"};
	(void)state;
	assert_int_equal(net_loop_new(&loop, &err), 0);
	assert_int_equal(net_client_new(loop, &settings, &c, &err), 0);
	assert_int_equal(net_exchange_start(c, &call, &x, &err), BERTH_E_DENIED);
	call.url = "file:///etc/passwd";
	assert_int_equal(net_exchange_start(c, &call, &x, &err), BERTH_E_INVALID);
	assert_null(x);
}

static void a_wrong_pem_is_told_before_it_is_used(void **state)
{
	static const struct net_settings bad[] = {
		{.tls_ca = "no pem"},
		{.tls_client_cert = "no pem"},
		{.tls_ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
	};
	struct berth_error err = ERROR_INIT;
	AUTO(net_loop) struct net_loop *loop = NULL;
	(void)state;
	assert_int_equal(net_loop_new(&loop, &err), 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct net_client *c = NULL;
		assert_int_equal(net_client_new(loop, bad + i, &c, &err), BERTH_E_INVALID);
		assert_null(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins_are_compared_as_the_network_sees_them),
		cmocka_unit_test(what_is_no_address_of_a_registry_is_refused),
		cmocka_unit_test(addresses_have_one_form),
		cmocka_unit_test(references_are_joined),
		cmocka_unit_test(queries_are_added),
		cmocka_unit_test(inner_addresses_are_not_public),
		cmocka_unit_test(timers_fire_in_order_and_may_cancel_others),
		cmocka_unit_test(a_public_server_cannot_send_us_inside),
		cmocka_unit_test(plain_http_needs_to_be_allowed),
		cmocka_unit_test(a_wrong_pem_is_told_before_it_is_used),
	};
	curl_global_init(CURL_GLOBAL_ALL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
