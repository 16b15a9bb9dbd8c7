/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that makes easy handles, and what varies of them from
 * call to call. A handle belongs to one client and is used again by it, so
 * what is set at its birth (TLS, protocols, proxy, address rule) stays.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/net/address.h"
#include "core/net/http_private.h"

#define STREAM_BUFFER_BYTES (64L << 10)
#define SMALL_BUFFER_BYTES (16L << 10)

static void refuse(struct net_exchange *x, const struct sockaddr *a, int code, const char *why)
{
	char text[ADDRESS_TEXT_ROOM];
	address_format(a, text, sizeof text);
	x->refused = code;
	snprintf(x->refused_text, sizeof x->refused_text, "%s %s", text, why);
}

static bool may_connect(struct net_exchange *x, const struct sockaddr *a, size_t byte_count)
{
	const struct net_settings *s = &x->client->settings;
	if ((x->call.flags & NET_PUBLIC) && !address_is_public(a)) {
		refuse(x, a, BERTH_E_ADDRESS, "is not public");
		return false;
	}
	int code = s->allow_address ? s->allow_address(s->allow_user, a, (uint32_t)byte_count) : 0;
	if (code)
		refuse(x, a, code, "is not allowed");
	return !code;
}

/* Behind a proxy only the proxy's address is seen at connect; a target that is
 * written as an address is judged by that, a name is the proxy's to resolve. */
int net_easy_check_literal(struct net_exchange *x, const char *host, struct berth_error *err)
{
	struct sockaddr_storage a;
	char bare[URL_HOST_ROOM];
	if (!x->client->settings.proxy)
		return 0;
	snprintf(bare, sizeof bare, "%s", host[0] == '[' ? host + 1 : host);
	bare[strcspn(bare, "]")] = 0;
	if (!address_parse(bare, &a) || may_connect(x, (const struct sockaddr *)&a, sizeof a))
		return 0;
	berth_fail(err, BERTH_E_ADDRESS, "%s is an address that may not be connected to",
		   x->origin);
	return berth_cause(err, "%s", x->refused_text);
}

/* libcurl sends a request again by itself where a kept connection breaks before
 * any answer. Of a streamed body it would send what is left as if it were all. */
static bool is_again(struct net_exchange *x)
{
	if (!x->call.produce || !x->sent_bytes)
		return false;
	x->may_retry = true;
	berth_fail(&x->failure, BERTH_E_UNAVAILABLE, "the connection to %s broke", x->origin);
	return true;
}

/* Sees the resolved address, so that no name that flips gets past it. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct net_exchange *x = user;
	if (purpose != CURLSOCKTYPE_IPCXN || is_again(x) || !may_connect(x, &a->addr, a->addrlen))
		return CURL_SOCKET_BAD;
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	int bytes = (int)x->client->settings.receive_bytes;
	/* What can't be made smaller is only less exact for who counts bytes. */
	if (fd >= 0 && bytes > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	return fd;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Also a connection made for another client of this job is judged anew. */
static int before_request(void *user, char *primary_ip, char *local_ip, int primary_port,
			  int local_port)
{
	struct net_exchange *x = user;
	struct sockaddr_storage a;
	(void)local_ip;
	(void)primary_port;
	(void)local_port;
	if (is_again(x))
		return CURL_PREREQFUNC_ABORT;
	if (address_parse(primary_ip, &a) && may_connect(x, (const struct sockaddr *)&a, sizeof a))
		return CURL_PREREQFUNC_OK;
	return CURL_PREREQFUNC_ABORT;
}
#endif

static void set_blob(CURL *e, CURLoption option, const char *pem)
{
	struct curl_blob blob = {
		.data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY};
	curl_easy_setopt(e, option, &blob);
}

static void set_ca(struct net_exchange *x)
{
	const char *ca = x->client->settings.tls_ca;
	if (!ca)
		return;
#if LIBCURL_VERSION_NUM >= 0x074d00
	set_blob(x->easy, CURLOPT_CAINFO_BLOB, ca);
#else
	char path[40];
	snprintf(path, sizeof path, "/proc/self/fd/%d", x->client->ca_fd);
	curl_easy_setopt(x->easy, CURLOPT_CAINFO, path);
#endif
}

/* What depends on whose server it is: see NET_FOREIGN. */
static void set_trust(struct net_exchange *x, unsigned flags)
{
	const struct net_settings *s = &x->client->settings;
	bool own = !(flags & NET_FOREIGN), verify = s->tls_verify || !own;

	curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	/* A private CA is the only one that its own server is judged by. */
	if (s->tls_ca)
		curl_easy_setopt(x->easy, CURLOPT_CAPATH,
				 own ? NULL : curl_version_info(CURLVERSION_NOW)->capath);
	if (s->tls_client_cert && own) {
		set_blob(x->easy, CURLOPT_SSLCERT_BLOB, s->tls_client_cert);
		set_blob(x->easy, CURLOPT_SSLKEY_BLOB,
			 s->tls_client_key ? s->tls_client_key : s->tls_client_cert);
	} else if (s->tls_client_cert) {
		curl_easy_setopt(x->easy, CURLOPT_SSLCERT_BLOB, NULL);
		curl_easy_setopt(x->easy, CURLOPT_SSLKEY_BLOB, NULL);
	}
}

static void set_protocols(CURL *e, bool allow_http)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, allow_http ? "http,https" : "https");
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS,
			 CURLPROTO_HTTPS | (allow_http ? CURLPROTO_HTTP : 0L));
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
}

static void set_connection(struct net_exchange *x)
{
	const struct net_settings *s = &x->client->settings;
	CURL *e = x->easy;

	set_protocols(e, s->allow_http);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_SHARE, net_loop_share(x->client->loop));
	/* "" is no proxy; without it the environment would choose one. */
	curl_easy_setopt(e, CURLOPT_PROXY, s->proxy ? s->proxy : "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->limits.connect_ms);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, x);
#if LIBCURL_VERSION_NUM >= 0x075000
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, x);
#endif
	set_ca(x);
}

static void set_http(struct net_exchange *x)
{
	CURL *e = x->easy;
	curl_easy_setopt(e, CURLOPT_PRIVATE, x);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error_text);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, net_on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, net_on_write);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, net_on_read);
	curl_easy_setopt(e, CURLOPT_READDATA, x);
}

int net_easy_new(struct net_exchange *x, struct berth_error *err)
{
	x->easy = curl_easy_init();
	if (!x->easy)
		return berth_fail_memory(err);
	set_connection(x);
	set_http(x);
	return 0;
}

static void set_streamed_body(CURL *e, const struct net_call *call)
{
	curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
	curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->stream_byte_count);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, STREAM_BUFFER_BYTES);
}

static void set_method(struct net_exchange *x, const struct net_call *call)
{
	CURL *e = x->easy;
	/* Undoes NOBODY, UPLOAD and POST of an earlier use. */
	curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
	if (!strcmp(call->method, "GET"))
		return;
	if (!strcmp(call->method, "HEAD")) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	}
	if (call->produce) {
		set_streamed_body(e, call);
		return;
	}
	/* A small body leaves in one packet with its head this way. */
	if (call->body || strcmp(call->method, "DELETE") != 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_byte_count);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body ? call->body : "");
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
}

static int add_line(struct net_exchange *x, const char *line, struct berth_error *err)
{
	struct curl_slist *more = curl_slist_append(x->lines, line);
	if (!more)
		return berth_fail_memory(err);
	x->lines = more;
	return 0;
}

static int set_lines(struct net_exchange *x, const struct net_call *call, struct berth_error *err)
{
	/* No 100-continue round trip; no type that libcurl makes up. */
	int r = call->produce || call->body ? add_line(x, "Expect:", err) : 0;
	bool typed = false;
	for (size_t i = 0; !r && call->headers && call->headers[i]; i++) {
		typed = typed || !strncasecmp(call->headers[i], "content-type:", 13);
		r = add_line(x, call->headers[i], err);
	}
	if (!r && !typed && strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0)
		r = add_line(x, "Content-Type:", err);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->lines);
	return r;
}

int net_easy_set_call(struct net_exchange *x, const struct net_call *call, struct berth_error *err)
{
	/* What is read ahead is not under a caller's rate. */
	bool streams = call->consume && !x->client->settings.receive_bytes;
	if (curl_easy_setopt(x->easy, CURLOPT_URL, call->url) != CURLE_OK)
		return berth_fail_memory(err);
	curl_easy_setopt(x->easy, CURLOPT_BUFFERSIZE,
			 streams ? STREAM_BUFFER_BYTES : SMALL_BUFFER_BYTES);
	curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, call->flags & NET_FRESH ? 1L : 0L);
	set_trust(x, call->flags);
	set_method(x, call);
	return set_lines(x, call, err);
}
