/* SPDX-License-Identifier: Apache-2.0 */
/* The address policy: every class of address, in every disguise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "core/net/policy.h"

static int check(const struct policy *p, const char *text, struct berth_error *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return policy_check(p, &v4, sizeof v4, err);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return policy_check(p, &v6, sizeof v6, err);
}

static const char *const metadata[] = {"169.254.169.254",
				       "169.254.170.2",
				       "100.100.100.200",
				       "192.0.0.192",
				       "fd00:ec2::254",
				       "::ffff:169.254.169.254",
				       "64:ff9b::a9fe:a9fe",
				       "2002:a9fe:a9fe::1",
				       "fe80::1",
				       "::169.254.169.254",
				       "2001:0:1:2:3:4:5601:5601",
				       "0.0.0.0",
				       "::",
				       "::ffff:0.0.0.0",
				       "224.0.0.1",
				       "239.255.255.255",
				       "255.255.255.255",
				       "ff02::1",
				       "240.0.0.1",
				       "64:ff9b:1::a9fe:a9fe",
				       NULL};
static const char *const inner[] = {"127.0.0.1",
				    "127.255.0.1",
				    "10.0.0.1",
				    "172.16.0.1",
				    "172.31.255.255",
				    "192.168.1.1",
				    "100.64.0.1",
				    "::1",
				    "fd12::1",
				    "fc00::1",
				    "::ffff:127.0.0.1",
				    "::ffff:10.0.0.1",
				    "64:ff9b::7f00:1",
				    "2002:7f00:1::",
				    NULL};
static const char *const outer[] = {"1.1.1.1",     "172.32.0.1",       "172.15.255.255",
				    "11.0.0.1",    "2606:4700::1111",  "::ffff:1.1.1.1",
				    "100.128.0.1", "64:ff9b::101:101", NULL};

static void metadata_and_link_local_are_never_reached(void **state)
{
	struct policy p = {.private_ok = true};
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(policy_add(&p, false, "0.0.0.0/0", &err), 0);
	assert_int_equal(policy_add(&p, false, "::/0", &err), 0);
	for (const char *const *a = metadata; *a; a++) {
		if (check(&p, *a, &err) != BERTH_E_ADDRESS)
			fail_msg("%s was let through", *a);
		assert_non_null(strstr(err.message, "never reached"));
	}
	policy_done(&p);
}

static void inner_addresses_need_the_scope_or_a_rule(void **state)
{
	struct policy closed = {0}, open = {.private_ok = true}, listed = {0};
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(policy_add(&listed, false, "10.0.0.0/24", &err), 0);
	for (const char *const *a = inner; *a; a++) {
		if (check(&closed, *a, &err) != BERTH_E_ADDRESS)
			fail_msg("%s was let through", *a);
		if (check(&open, *a, &err))
			fail_msg("%s: %s", *a, err.message);
	}
	assert_int_equal(check(&listed, "10.0.0.9", &err), 0);
	assert_int_equal(check(&listed, "10.0.1.9", &err), BERTH_E_ADDRESS);
	assert_string_equal(err.message, "10.0.1.9 is a private address, which this scope may not "
					 "reach (networks, allow)");
	policy_done(&listed);
}

static void outer_addresses_are_open_unless_denied(void **state)
{
	struct policy p = {0};
	struct berth_error err = ERROR_INIT;
	(void)state;
	for (const char *const *a = outer; *a; a++)
		if (check(&p, *a, &err))
			fail_msg("%s: %s", *a, err.message);
	assert_int_equal(policy_add(&p, true, "1.1.1.0/24", &err), 0);
	assert_int_equal(policy_add(&p, false, "1.1.1.1", &err), 0);
	assert_int_equal(check(&p, "1.1.1.1", &err), BERTH_E_ADDRESS);
	assert_int_equal(check(&p, "::ffff:1.1.1.1", &err), BERTH_E_ADDRESS);
	assert_int_equal(check(&p, "64:ff9b::101:101", &err), BERTH_E_ADDRESS);
	assert_int_equal(check(&p, "1.1.2.1", &err), 0);
	policy_done(&p);
}

static void other_families_and_short_addresses_are_refused(void **state)
{
	struct policy p = {.private_ok = true};
	struct berth_error err = ERROR_INIT;
	struct sockaddr unix_address = {.sa_family = AF_UNIX};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	(void)state;
	assert_int_equal(policy_check(&p, &unix_address, sizeof unix_address, &err),
			 BERTH_E_ADDRESS);
	assert_int_equal(policy_check(&p, &v6, 8, &err), BERTH_E_ADDRESS);
}

static void networks_are_parsed_strictly(void **state)
{
	static const char *const bad[] = {"",          "10.0.0.0/33", "10.0.0.1/8",  "fd00::/129",
					  "x",         "10/8",        "10.0.0.0/",   "10.0.0.0/-1",
					  "fd00::1/8", " 10.0.0.0/8", "1.2.3.4/8/8", NULL};
	struct cidr net;
	struct berth_error err = ERROR_INIT;
	(void)state;
	for (const char *const *b = bad; *b; b++)
		if (cidr_parse(*b, &net, &err) != BERTH_E_INVALID)
			fail_msg("'%s' was taken", *b);
	assert_int_equal(cidr_parse("10.0.0.0/8", &net, &err), 0);
	assert_int_equal(net.bit_count, 104);
	assert_int_equal(cidr_parse("0.0.0.0/0", &net, &err), 0);
	assert_int_equal(cidr_parse("::/0", &net, &err), 0);
	assert_int_equal(net.bit_count, 0);
}

static void a_quiet_policy_refuses_as_a_closed_port_does(void **state)
{
	struct policy p = {.is_quiet = true};
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(check(&p, "127.0.0.1", &err), BERTH_E_UNAVAILABLE);
	assert_int_equal(err.code, BERTH_E_UNAVAILABLE);
	assert_int_equal(check(&p, "169.254.169.254", &err), BERTH_E_UNAVAILABLE);
	assert_int_equal(check(&p, "8.8.8.8", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_and_link_local_are_never_reached),
		cmocka_unit_test(inner_addresses_need_the_scope_or_a_rule),
		cmocka_unit_test(outer_addresses_are_open_unless_denied),
		cmocka_unit_test(other_families_and_short_addresses_are_refused),
		cmocka_unit_test(a_quiet_policy_refuses_as_a_closed_port_does),
		cmocka_unit_test(networks_are_parsed_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
