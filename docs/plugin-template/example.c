/* SPDX-License-Identifier: Apache-2.0 */
/* A whole plugin in one file: it integrates a server that answers GET /health
 * with one line of text, its version, and GET /images with its images in JSON,
 * sorted, a page at a time:
 *
 *	{"images": [{"repository": "team/app", "tag": "1", "digest": "sha256:..."}],
 *	 "next": "MARK"}
 *
 * where GET /images?after=MARK brings the next page, and the last one has no
 * "next". The images' bytes are below /v2/ of the same address, as at every
 * registry, and are Berth's to move. Copy it, rename it (the name stands in the
 * table at the end and is the file's), and replace the parts that talk to the
 * server. It needs libcurl, jansson and <berth/plugin.h>, nothing else.
 */
#include <berth/plugin.h>
#include <curl/curl.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX_BYTES 65536
#define PAGES_MAX 200
#define MARK_ROOM 65
#define NAME_ROOM 256
#define RETRY_MS 5000

/* One instance. open makes it, every slot is given it as self. */
struct example {
	const struct berth_host *host;
	const void *config;
	const char *address;        /* lives as long as the instance: not copied */
	char repository[NAME_ROOM]; /* of oci_endpoint: must outlive that call */
};

/* One request: what came back, and the call that it is made for. */
struct request {
	struct example *example;
	const struct berth_call *call;
	const char *type; /* the Content-Type that the answer must have */
	char path[512];
	char answer[ANSWER_MAX_BYTES];
	size_t answer_bytes;
	int is_too_long, is_refused;
};

static const struct berth_option options[] = {
	{"address", BERTH_OPT_URL, BERTH_OPT_REQUIRED, NULL, "Where the server is."},
	{"username", BERTH_OPT_STRING, 0, NULL, "User name; none: anonymous."},
	{"password", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL, "Password of the user."},
	{"tls_verify", BERTH_OPT_BOOL, 0, "true", "Check the server's certificate."},
	{"tls_ca", BERTH_OPT_STRING, 0, NULL,
	 "Certificates (PEM) of the only authorities to trust for this server."},
	{"tls_client_cert", BERTH_OPT_STRING, 0, NULL, "Certificate (PEM) to show the server."},
	{"tls_client_key", BERTH_OPT_STRING, BERTH_OPT_SECRET, NULL, "The key (PEM) to it."},
	/* These two are for Berth's engine, which copies images; the rest is for both. */
	{"auth_realms", BERTH_OPT_STRING, 0, NULL, "Other hosts that may give its tokens."},
	{"upload_hosts", BERTH_OPT_STRING, 0, NULL, "Other hosts that it may send uploads to."},
	{"proxy", BERTH_OPT_URL, 0, NULL, "HTTP proxy on the way to the server."},
	{NULL, 0, 0, NULL, NULL},
};

/* Fills err and returns its code, so that `return fail(err, ...)` is the idiom.
 * message says what was tried, cause what came back; never a secret. */
static int fail(struct berth_error *err, int code, const char *message, const char *cause)
{
	err->code = code;
	snprintf(err->message, sizeof err->message, "%s", message);
	snprintf(err->cause, sizeof err->cause, "%s", cause ? cause : "");
	return code;
}

/* Parse options, make handles; no network. */
static int example_open(const struct berth_host *host, const void *config, void **ret_self,
			struct berth_error *err)
{
	const char *address = host->option(config, "address");
	if (!address)
		return fail(err, BERTH_E_INVALID, "option address is missing", NULL);
	struct example *e = calloc(1, sizeof *e);
	if (!e)
		return fail(err, BERTH_E_NO_MEMORY, "out of memory", NULL);
	e->host = host;
	e->config = config;
	e->address = address;
	*ret_self = e;
	return 0;
}

static void example_close(void *self)
{
	free(self);
}

/* Every input has a cap: more than that ends the transfer. */
static size_t take_bytes(char *bytes, size_t one, size_t byte_count, void *user)
{
	struct request *r = user;
	(void)one;
	if (byte_count >= sizeof r->answer - r->answer_bytes) {
		r->is_too_long = 1;
		return 0;
	}
	memcpy(r->answer + r->answer_bytes, bytes, byte_count);
	r->answer_bytes += byte_count;
	return byte_count;
}

/* libcurl asks often; the host knows of cancels and of the deadline. */
static int see_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct request *r = user;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return r->example->host->cancelled(r->call);
}

/* The resolved address is asked about at connect: names can change their mind. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct request *r = user;
	(void)purpose;
	if (r->example->host->allow_address(r->example->config, &address->addr,
					    (uint32_t)address->addrlen)) {
		r->is_refused = 1;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Behind a proxy only the proxy's address is seen at connect: a server that is written
 * as an address is judged by that, a name is the proxy's to resolve. */
static int judge_address(const struct example *e, struct berth_error *err)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	CURLU *url = curl_url();
	char *name = NULL;
	int is_refused;
	if (!url || curl_url_set(url, CURLUPART_URL, e->address, 0) ||
	    curl_url_get(url, CURLUPART_HOST, &name, 0)) {
		curl_url_cleanup(url);
		return fail(err, BERTH_E_INVALID, "option address is no URL", NULL);
	}
	name[strcspn(name, "]")] = 0;
	int why = getaddrinfo(*name == '[' ? name + 1 : name, NULL, &hints, &found);
	is_refused = why ? why != EAI_NONAME
			 : e->host->allow_address(e->config, found->ai_addr, found->ai_addrlen);
	if (found)
		freeaddrinfo(found);
	curl_free(name);
	curl_url_cleanup(url);
	return is_refused
		       ? fail(err, BERTH_E_ADDRESS, "the server's address may not be reached", NULL)
		       : 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A certificate that is refused, ours or the server's, and what else TLS trips over. */
static int is_tls(CURLcode why)
{
	return why == CURLE_PEER_FAILED_VERIFICATION || why == CURLE_SSL_CONNECT_ERROR ||
	       why == CURLE_SSL_CACERT_BADFILE || why == CURLE_SSL_CERTPROBLEM;
}

/* Which of our codes a failed transfer is. */
static int fail_transfer(const struct request *r, CURLcode why, struct berth_error *err)
{
	if (r->is_refused)
		return fail(err, BERTH_E_ADDRESS, "the server's address may not be reached", NULL);
	if (r->is_too_long) {
		err->from = BERTH_FROM_CURL; /* the server's fault, not the request's */
		err->upstream = (int32_t)why;
		return fail(err, BERTH_E_LIMIT, "the server's answer is too long", NULL);
	}
	if (why == CURLE_OPERATION_TIMEDOUT)
		return fail(err, BERTH_E_TIMEOUT, "the server did not answer in time", NULL);
	if (why == CURLE_ABORTED_BY_CALLBACK) {
		int is_late = r->call->deadline_ms && now_ms() >= r->call->deadline_ms;
		return fail(err, is_late ? BERTH_E_TIMEOUT : BERTH_E_CANCELLED,
			    "the request was given up", NULL);
	}
	err->from = BERTH_FROM_CURL;
	err->upstream = (int32_t)why;
	if (is_tls(why))
		return fail(err, BERTH_E_TLS, "TLS with the server failed",
			    curl_easy_strerror(why));
	err->retry_ms = RETRY_MS;
	if (why == CURLE_UNSUPPORTED_PROTOCOL || why == CURLE_WEIRD_SERVER_REPLY)
		return fail(err, BERTH_E_PROTOCOL, "the server does not speak HTTP",
			    curl_easy_strerror(why));
	return fail(err, BERTH_E_UNAVAILABLE, "the server cannot be reached",
		    curl_easy_strerror(why));
}

/* Which of our codes an HTTP status is; 200 with the wanted type is the one we read. */
static int judge_answer(CURL *curl, const char *wanted, struct berth_error *err)
{
	char cause[32];
	long status = 0;
	char *type = NULL;
	curl_off_t retry_s = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_s);
	snprintf(cause, sizeof cause, "HTTP %ld", status);
	err->from = BERTH_FROM_HTTP;
	err->upstream = (int32_t)status;
	err->retry_ms = retry_s > 0 && retry_s < 300 ? (uint32_t)retry_s * 1000 : 0;
	switch (status) {
	case 200:
		if (type && !strncmp(type, wanted, strlen(wanted)))
			return 0;
		return fail(err, BERTH_E_PROTOCOL, "the server brought another type", type);
	case 401:
		return fail(err, BERTH_E_AUTH, "user name or password was refused", cause);
	case 403:
		return fail(err, BERTH_E_DENIED, "the user may not do that", cause);
	case 404:
		return fail(err, BERTH_E_NOT_FOUND, "the server has nothing of that name", cause);
	case 409:
		return fail(err, BERTH_E_CONFLICT, "the server sees a conflict", cause);
	case 429:
		return fail(err, BERTH_E_THROTTLED, "the server wants us to wait", cause);
	default:
		return fail(err, status >= 500 ? BERTH_E_UNAVAILABLE : BERTH_E_PROTOCOL,
			    "the server refused the request", cause);
	}
}

static const char *option(const struct example *e, const char *key)
{
	return e->host->option(e->config, key);
}

static void set_pem(CURL *curl, CURLoption what, const char *text)
{
	struct curl_blob pem = {.data = (void *)text, .len = text ? strlen(text) : 0};
	if (text)
		curl_easy_setopt(curl, what, &pem);
}

static void set_credentials(CURL *curl, const struct example *e)
{
	const char *user = option(e, "username"), *password = option(e, "password");
	const char *verify = option(e, "tls_verify"), *ca = option(e, "tls_ca");
	if (user)
		curl_easy_setopt(curl, CURLOPT_USERNAME, user);
	if (password)
		curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
	set_pem(curl, CURLOPT_SSLCERT_BLOB, option(e, "tls_client_cert"));
	set_pem(curl, CURLOPT_SSLKEY_BLOB, option(e, "tls_client_key"));
	set_pem(curl, CURLOPT_CAINFO_BLOB, ca);
	if (ca)
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	if (verify && !strcmp(verify, "false")) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_options(CURL *curl, struct request *r)
{
	const char *proxy = option(r->example, "proxy");
	uint64_t now = now_ms();
	long left_ms = 60000;
	if (r->call->deadline_ms)
		left_ms = r->call->deadline_ms > now ? (long)(r->call->deadline_ms - now) : 1;
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms);
	curl_easy_setopt(curl, CURLOPT_PROXY, proxy ? proxy : ""); /* "": none at all */
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, see_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, r);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, r);
	set_credentials(curl, r->example);
}

static int get(struct request *r, struct berth_error *err)
{
	char url[2048];
	if (snprintf(url, sizeof url, "%s%s", r->example->address, r->path) >= (int)sizeof url)
		return fail(err, BERTH_E_INVALID, "option address is too long", NULL);
	int code = option(r->example, "proxy") ? judge_address(r->example, err) : 0;
	if (code)
		return code;
	r->answer_bytes = 0;
	CURL *curl = curl_easy_init();
	if (!curl)
		return fail(err, BERTH_E_NO_MEMORY, "out of memory", NULL);
	set_options(curl, r);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	CURLcode why = curl_easy_perform(curl);
	code = why ? fail_transfer(r, why, err) : judge_answer(curl, r->type, err);
	curl_easy_cleanup(curl);
	r->answer[r->answer_bytes] = 0;
	return code;
}

/* A FACT whose value is text that we know to be harmless in JSON. */
static int put_fact(struct berth_sink *sink, const char *name, const char *value,
		    struct berth_error *err)
{
	char more[256];
	struct berth_item item = {.size = sizeof item, .kind = BERTH_ITEM_FACT, .name = name};
	snprintf(more, sizeof more, "{\"value\":\"%s\"}", value);
	item.more_json = more;
	if (sink->put(sink, &item))
		return fail(err, BERTH_E_CANCELLED, "the caller has enough", NULL);
	return 0;
}

/* The version: one line of harmless characters, or it is not our server. */
static int read_version(struct request *r, struct berth_error *err)
{
	static const char legal[] = "0123456789abcdefghijklmnopqrstuvwxyz.-+";
	r->answer[strcspn(r->answer, "\r\n")] = 0;
	if (!r->answer[0] || r->answer[strspn(r->answer, legal)] || strlen(r->answer) > 64)
		return fail(err, BERTH_E_PROTOCOL, "GET /health brought no version", NULL);
	return 0;
}

static int probe(void *self, const struct berth_call *call, const char *scope_json,
		 struct berth_sink *sink, struct berth_error *err)
{
	struct request r = {.example = self, .call = call, .type = "text/plain", .path = "/health"};
	(void)scope_json;
	int code = get(&r, err);
	if (code == BERTH_E_NOT_FOUND)
		return fail(err, BERTH_E_PROTOCOL, "there is no such server here", "HTTP 404");
	if (!code)
		code = read_version(&r, err);
	if (!code)
		code = put_fact(sink, "product", "example", err);
	if (!code)
		code = put_fact(sink, "version", r.answer, err);
	return code;
}

/* One walk through the list of images. */
struct listing {
	uint32_t kind;          /* of the items: a REPOSITORY, TAG or ARTIFACT */
	const char *repository; /* of the last two: of this one */
	const char *reference;  /* of the last one: its tag or digest */
	struct berth_sink *sink;
	char last[NAME_ROOM];  /* the repository before: each is given once */
	char after[MARK_ROOM]; /* where the next page begins; "" at the end */
	int given;
};

/* The text of a key, if it is one of harmless characters and fits; else "". What a
 * server says goes into an URL, a log or a terminal only after such a check. */
static const char *text_of(const json_t *object, const char *key, size_t room)
{
	static const char legal[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-/";
	const char *text = json_string_value(json_object_get(object, key));
	return text && strlen(text) < room && !text[strspn(text, legal)] ? text : "";
}

static const char *digest_of(const json_t *image)
{
	const char *text = json_string_value(json_object_get(image, "digest"));
	return text && strlen(text) == 71 && !strncmp(text, "sha256:", 7) &&
			       strspn(text + 7, "0123456789abcdef") == 64
		       ? text
		       : "";
}

static int is_wanted(const struct listing *l, const struct berth_item *image,
		     const char *repository)
{
	if (l->kind == BERTH_ITEM_REPOSITORY)
		return strcmp(l->last, repository) != 0;
	if (strcmp(l->repository, repository) != 0)
		return 0;
	return l->kind == BERTH_ITEM_TAG || (!l->given && (!strcmp(l->reference, image->name) ||
							   !strcmp(l->reference, image->digest)));
}

static int give_image(struct listing *l, const json_t *image, struct berth_error *err)
{
	const char *repository = text_of(image, "repository", NAME_ROOM);
	struct berth_item item = {.size = sizeof item,
				  .kind = l->kind,
				  .name = text_of(image, "tag", NAME_ROOM),
				  .digest = digest_of(image)};
	if (!*repository || !*item.name || !*item.digest)
		return fail(err, BERTH_E_PROTOCOL, "an image lacks repository, tag or digest",
			    NULL);
	int is_left_out = !is_wanted(l, &item, repository);
	snprintf(l->last, sizeof l->last, "%s", repository);
	if (is_left_out)
		return 0;
	l->given++;
	if (l->kind == BERTH_ITEM_REPOSITORY) {
		item.name = repository;
		item.digest = NULL;
	}
	/* The least that the artifact document has; what else is known goes there. */
	if (l->kind == BERTH_ITEM_ARTIFACT)
		item.more_json = "{\"kind\":\"image\"}";
	return l->sink->put(l->sink, &item)
		       ? fail(err, BERTH_E_CANCELLED, "the caller has enough", NULL)
		       : 0;
}

/* jansson has a cap on depth; the cap on bytes was the answer's. */
static int take_page(struct listing *l, const struct request *r, struct berth_error *err)
{
	json_t *page = json_loadb(r->answer, r->answer_bytes, JSON_REJECT_DUPLICATES, NULL);
	const json_t *images = json_object_get(page, "images");
	int code = 0;
	if (!json_is_array(images))
		code = fail(err, BERTH_E_PROTOCOL, "the list of images is none", NULL);
	for (size_t i = 0; !code && i < json_array_size(images); i++)
		code = give_image(l, json_array_get(images, i), err);
	snprintf(l->after, sizeof l->after, "%s", text_of(page, "next", sizeof l->after));
	if (!code && !*l->after && json_object_get(page, "next"))
		code = fail(err, BERTH_E_PROTOCOL, "the mark of the next page is none", NULL);
	json_decref(page);
	return code;
}

/* Page by page to the end, or to the one image that is asked for. A list that is cut short is an
 * error, never a shorter list. */
static int list(struct request *r, struct listing *l, struct berth_error *err)
{
	for (int page = 0; page < PAGES_MAX; page++) {
		snprintf(r->path, sizeof r->path, "/images%s%s", *l->after ? "?after=" : "",
			 l->after);
		int code = get(r, err);
		if (!code)
			code = take_page(l, r, err);
		if (code || (l->reference && l->given))
			return code;
		if (!*l->after)
			return l->repository && !l->given ? fail(err, BERTH_E_NOT_FOUND,
								 "there is no such image", NULL)
							  : 0;
	}
	err->from = BERTH_FROM_CURL;
	return fail(err, BERTH_E_LIMIT, "the list of images has too many pages", NULL);
}

/* Berth asks for all repositories of the server: a plugin with spaces goes
 * through them here. */
static int repositories(void *self, const struct berth_call *call, const char *space,
			struct berth_sink *sink, struct berth_error *err)
{
	struct request r = {.example = self, .call = call, .type = "application/json"};
	struct listing l = {.kind = BERTH_ITEM_REPOSITORY, .sink = sink};
	(void)space;
	return list(&r, &l, err);
}

static int tags(void *self, const struct berth_call *call, const char *repository,
		struct berth_sink *sink, struct berth_error *err)
{
	struct request r = {.example = self, .call = call, .type = "application/json"};
	struct listing l = {.kind = BERTH_ITEM_TAG, .repository = repository, .sink = sink};
	return list(&r, &l, err);
}

static int artifact(void *self, const struct berth_call *call, const char *repository,
		    const char *reference, struct berth_sink *sink, struct berth_error *err)
{
	struct request r = {.example = self, .call = call, .type = "application/json"};
	struct listing l = {.kind = BERTH_ITEM_ARTIFACT,
			    .repository = repository,
			    .reference = reference,
			    .sink = sink};
	return list(&r, &l, err);
}

/* Where Berth's engine finds the bytes, and as whom. It asks nobody; ret has been
 * zeroed, and so a push is tried. Where the server's names are others than those
 * below /v2/, they are mapped here. */
static int oci_endpoint(void *self, const struct berth_call *call, const char *repository,
			struct berth_oci_endpoint *ret, struct berth_error *err)
{
	struct example *e = self;
	(void)call;
	if (snprintf(e->repository, sizeof e->repository, "%s", repository) >= NAME_ROOM)
		return fail(err, BERTH_E_LIMIT, "the repository's name is too long", NULL);
	ret->base_url = e->address;
	ret->repository = e->repository;
	ret->username = option(e, "username");
	ret->password = option(e, "password");
	return 0;
}

/* A slot that is left out is a thing that this backend does not do. */
static const struct berth_integration_ops integration = {
	.size = sizeof integration,
	.probe = probe, /* this and repositories make it fit for an integration */
	.repositories = repositories,
	.tags = tags,
	.artifact = artifact,         /* an image is shown */
	.oci_endpoint = oci_endpoint, /* and copied, by all the options from tls_verify on */
};

BERTH_EXPORT const struct berth_plugin berth_plugin_v1 = {
	BERTH_PLUGIN_HEAD,
	.name = "example",
	.version = "1.0",
	.summary = "A server that lists its images.",
	BERTH_PLUGIN_OPTIONS(options),
	.open = example_open,
	.close = example_close,
	.integration = &integration,
};
