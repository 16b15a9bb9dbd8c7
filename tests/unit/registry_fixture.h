/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: the registry client at a scripted server. What it sends is looked at,
 * not only what it says.
 */
#ifndef TESTS_UNIT_REGISTRY_FIXTURE_H
#define TESTS_UNIT_REGISTRY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "core/base/text.h"
#include "core/oci/registry.h"
#include "scripted_server.h"

#define OK(body)                                                                                   \
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n" body
/* An answer with no body: its status and further header lines. */
#define EMPTY(status, headers)                                                                     \
	"HTTP/1.1 " status "\r\nConnection: close\r\nContent-Length: 0\r\n" headers "\r\n"
#define CHALLENGE(how) EMPTY("401 Unauthorized", "WWW-Authenticate: " how "\r\n")
#define CHALLENGE_BASIC CHALLENGE("Basic realm=\"x\"")
#define CHALLENGE_BEARER(realm) CHALLENGE("Bearer realm=\"" realm "\",service=\"s\"")
#define OWN_REALM CHALLENGE_BEARER("http://127.0.0.1:%PORT%/token")

struct fixture {
	struct scripted server;
	struct net_loop *loop;
	struct registry *registry;
	struct registry_request *q; /* the last one */
	struct berth_error err;
};

static inline void set_up(struct fixture *f, const char *const *answers,
			  const struct registry_settings *more)
{
	struct registry_settings s = more ? *more : (struct registry_settings){0};
	AUTO_FREE char *url = NULL;
	scripted_start(&f->server, answers);
	f->err = (struct berth_error)ERROR_INIT;
	f->q = NULL;
	url = text_printf("http://127.0.0.1:%u", f->server.port);
	s.base_url = url;
	s.tls_verify = true;
	if (!s.limits.backoff_ms)
		s.limits.backoff_ms = 1;
	assert_int_equal(net_loop_new(&f->loop, &f->err), 0);
	assert_int_equal(registry_open(f->loop, &s, &f->registry, &f->err), 0);
}

static inline void tear_down(struct fixture *f)
{
	registry_request_free(f->q);
	registry_close(f->registry);
	net_loop_free(f->loop);
	scripted_stop(&f->server);
}

/* Makes a request and waits for its end; the fixture keeps the last one. */
static inline int wait_for(struct fixture *f, const struct registry_call *call)
{
	registry_request_free(STEAL(f->q));
	return registry_wait(f->registry, call, &f->q, &f->err);
}

static inline int get(struct fixture *f, const char *path)
{
	struct registry_call call = {.method = "GET",
				     .path = path,
				     .repository = "a",
				     .rights = REGISTRY_PULL,
				     .follow = true};
	return wait_for(f, &call);
}

static inline bool asked(const struct fixture *f, int n, const char *text)
{
	return n < f->server.request_count && strcasestr(f->server.requests[n], text) != NULL;
}

#endif
