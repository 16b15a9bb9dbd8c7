/* SPDX-License-Identifier: Apache-2.0 */
/* giant: a registry without a disk, for `make bench BENCH="--only huge"`. It makes the
 * bytes of big layers up as they are asked for, and as a target counts bytes and
 * drops them; what is at most 64 KiB is kept. One thread a connection.
 *
 *   giant PORT [LAYERS LAYER_MIB]
 *
 * With layers there is an image huge/app:1 of them: layer n is the number n in its
 * first eight bytes, then zeros. "ready" is printed when their digests are
 * known. A line on stdin is answered by the bytes that were taken so far.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_ROOM 16384
#define KEPT_MAX 65536
#define OBJECTS_MAX 4096
#define BLOCK 65536

/* A blob or manifest by its path below /v2/; layer 0 or more: bytes are made up. */
struct object {
	char *path, *bytes, *type, digest[80];
	int64_t byte_count;
	int layer;
};

static struct object objects[OBJECTS_MAX];
static size_t object_count;
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER; /* guards both */
static atomic_llong taken_bytes;
static atomic_int upload_count;

struct request {
	int fd;
	char head[HEAD_ROOM];
	size_t head_bytes, have; /* what was read: the head and some of the body */
	char method[8], path[1024];
	int64_t body_bytes, from;
};

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t w = send(fd, bytes, n, MSG_NOSIGNAL);
		if (w <= 0)
			return false;
		bytes += w;
		n -= (size_t)w;
	}
	return true;
}

static void digest_text(EVP_MD_CTX *c, char to[80])
{
	unsigned char is[32];
	EVP_DigestFinal_ex(c, is, NULL);
	memcpy(to, "sha256:", 8);
	for (int i = 0; i < 32; i++)
		snprintf(to + 7 + 2 * i, 3, "%02x", is[i]);
}

static void fill(char block[BLOCK], int layer, int64_t at)
{
	memset(block, 0, BLOCK);
	if (!at)
		memcpy(block, &(uint64_t){(uint64_t)layer}, 8);
}

/* The digest of bytes, or (bytes NULL) of a layer that is made up. */
static void digest_of(const char *bytes, int64_t n, int layer, char to[80])
{
	char block[BLOCK];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_DigestInit_ex(c, EVP_sha256(), NULL);
	if (bytes)
		EVP_DigestUpdate(c, bytes, (size_t)n);
	for (int64_t at = 0; !bytes && at < n; at += BLOCK) {
		fill(block, layer, at);
		EVP_DigestUpdate(c, block, n - at < BLOCK ? (size_t)(n - at) : BLOCK);
	}
	digest_text(c, to);
	EVP_MD_CTX_free(c);
}

static struct object *find(const char *path)
{
	struct object *found = NULL;
	pthread_mutex_lock(&objects_lock);
	for (size_t i = 0; i < object_count && !found; i++)
		if (!strcmp(objects[i].path, path))
			found = &objects[i];
	pthread_mutex_unlock(&objects_lock);
	return found;
}

/* bytes are taken over; what is there already stays. */
static void add(const char *path, const char *digest, const char *type, char *bytes, int64_t n,
		int layer)
{
	pthread_mutex_lock(&objects_lock);
	if (object_count < OBJECTS_MAX) {
		struct object *o = &objects[object_count++];
		*o = (struct object){.path = strdup(path),
				     .bytes = bytes,
				     .type = strdup(type),
				     .byte_count = n,
				     .layer = layer};
		snprintf(o->digest, sizeof o->digest, "%s", digest);
	}
	pthread_mutex_unlock(&objects_lock);
}

/* An answer; more: further header lines. Without a length the body follows apart. */
static bool answer(const struct request *q, int status, const char *more, const char *body)
{
	char head[1024];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d x\r\nDocker-Distribution-Api-Version: registry/2.0\r\n%s"
			 "%s%zu\r\n\r\n",
			 status, more, "Content-Length: ", strlen(body));
	return write_all(q->fd, head, (size_t)n) && write_all(q->fd, body, strlen(body));
}

static bool send_layer(int fd, const struct object *o, int64_t from)
{
	char block[BLOCK];
	for (int64_t at = from; at < o->byte_count;) {
		int64_t start = at / BLOCK * BLOCK;
		int64_t n = start + BLOCK < o->byte_count ? start + BLOCK - at : o->byte_count - at;
		fill(block, o->layer, start);
		if (!write_all(fd, block + (at - start), (size_t)n))
			return false;
		at += n;
	}
	return true;
}

static bool give(const struct request *q, const struct object *o)
{
	char head[1024];
	bool is_part = q->from > 0 && q->from < o->byte_count;
	int64_t from = is_part ? q->from : 0;
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d x\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"
			 "Content-Type: %s\r\nDocker-Content-Digest: %s\r\n"
			 "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64
			 "\r\nContent-Length: %" PRId64 "\r\n\r\n",
			 is_part ? 206 : 200, o->type, o->digest, from, o->byte_count - 1,
			 o->byte_count, o->byte_count - from);
	if (!write_all(q->fd, head, (size_t)n))
		return false;
	if (!strcmp(q->method, "HEAD"))
		return true;
	if (o->layer < 0)
		return write_all(q->fd, o->bytes + from, (size_t)(o->byte_count - from));
	return send_layer(q->fd, o, from);
}

/* Reads the body; the first bytes are kept, up to KEPT_MAX. */
static char *take_body(struct request *q)
{
	static _Thread_local char block[BLOCK];
	char *kept = malloc(KEPT_MAX + 1);
	size_t kept_bytes = 0, n = q->have - q->head_bytes;
	if (!kept)
		return NULL;
	memcpy(block, q->head + q->head_bytes, n);
	for (int64_t left = q->body_bytes;;) {
		size_t keeps = n < KEPT_MAX - kept_bytes ? n : KEPT_MAX - kept_bytes;
		memcpy(kept + kept_bytes, block, keeps);
		kept_bytes += keeps;
		left -= (int64_t)n;
		atomic_fetch_add(&taken_bytes, (long long)n);
		if (left <= 0)
			break;
		ssize_t r = recv(q->fd, block, left < BLOCK ? (size_t)left : BLOCK, 0);
		if (r <= 0) {
			free(kept);
			return NULL;
		}
		n = (size_t)r;
	}
	kept[kept_bytes] = 0;
	return kept;
}

static bool put_manifest(struct request *q, char *take_body_bytes)
{
	char digest[80], by_digest[1200], more[256];
	char *slash = strrchr(q->path, '/');
	digest_of(take_body_bytes, q->body_bytes, -1, digest);
	snprintf(by_digest, sizeof by_digest, "%.*s/%s", (int)(slash - q->path), q->path, digest);
	const char *type = strstr(take_body_bytes, "image.index")
				   ? "application/vnd.oci.image.index.v1+json"
				   : "application/vnd.oci.image.manifest.v1+json";
	add(by_digest, digest, type, take_body_bytes, q->body_bytes, -1);
	if (strcmp(by_digest, q->path) != 0)
		add(q->path, digest, type, strdup(take_body_bytes), q->body_bytes, -1);
	snprintf(more, sizeof more, "Docker-Content-Digest: %s\r\n", digest);
	return answer(q, 201, more, "");
}

/* PUT of an upload: the blob is there, its bytes are gone unless they are few. */
static bool put_blob(struct request *q, char *take_body_bytes)
{
	char path[1200], more[256];
	const char *digest = strstr(q->path, "digest=");
	char *uploads = strstr(q->path, "/uploads/");
	if (!digest || !uploads) {
		free(take_body_bytes);
		return answer(q, 400, "", "");
	}
	digest += 7;
	snprintf(path, sizeof path, "%.*s/%s", (int)(uploads - q->path), q->path, digest);
	add(path, digest, "application/octet-stream", take_body_bytes, q->body_bytes,
	    q->body_bytes > KEPT_MAX ? 0 : -1);
	snprintf(more, sizeof more, "Docker-Content-Digest: %.100s\r\n", digest);
	return answer(q, 201, more, "");
}

static bool list(const struct request *q)
{
	bool is_catalog = !strcmp(q->path, "/v2/_catalog");
	bool is_there = find("/v2/huge/app/manifests/1") != NULL;
	if (is_catalog)
		return answer(q, 200, "Content-Type: application/json\r\n",
			      is_there ? "{\"repositories\":[\"huge/app\"]}"
				       : "{\"repositories\":[]}");
	return answer(q, is_there ? 200 : 404, "Content-Type: application/json\r\n",
		      is_there ? "{\"name\":\"huge/app\",\"tags\":[\"1\"]}" : "{\"errors\":[]}");
}

static bool serve_write(struct request *q)
{
	char more[1200];
	char *body = take_body(q);
	if (!body)
		return false;
	if (!strcmp(q->method, "PUT"))
		return strstr(q->path, "/manifests/") ? put_manifest(q, body) : put_blob(q, body);
	free(body);
	if (strcmp(q->method, "POST") != 0)
		return answer(q, 202, "", "");
	char *end = strstr(q->path, "/uploads/");
	snprintf(more, sizeof more, "Location: %.*s/uploads/%d\r\nRange: 0-0\r\n",
		 end ? (int)(end - q->path) : 0, q->path, atomic_fetch_add(&upload_count, 1));
	return answer(q, end ? 202 : 404, end ? more : "", "");
}

static bool serve(struct request *q)
{
	char *query = strchr(q->path, '?');
	if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0)
		return serve_write(q);
	if (query)
		*query = 0;
	if (!strcmp(q->path, "/v2/"))
		return answer(q, 200, "Content-Type: application/json\r\n", "{}");
	if (!strcmp(q->path, "/v2/_catalog") || strstr(q->path, "/tags/list"))
		return list(q);
	const struct object *o = find(q->path);
	return o ? give(q, o) : answer(q, 404, "Content-Type: application/json\r\n", "");
}

static const char *header(const struct request *q, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = strstr(q->head, "\r\n"); at; at = strstr(at + 2, "\r\n"))
		if (!strncasecmp(at + 2, name, n) && at[2 + n] == ':')
			return at + 3 + n + strspn(at + 3 + n, " ");
	return NULL;
}

static bool read_head(struct request *q)
{
	const char *end = NULL, *value;
	q->have = 0;
	while (!end && q->have < sizeof q->head - 1) {
		ssize_t n = recv(q->fd, q->head + q->have, sizeof q->head - 1 - q->have, 0);
		if (n <= 0)
			return false;
		q->have += (size_t)n;
		q->head[q->have] = 0;
		end = strstr(q->head, "\r\n\r\n");
	}
	if (!end || sscanf(q->head, "%7s %1023s", q->method, q->path) != 2)
		return false;
	q->head_bytes = (size_t)(end - q->head) + 4;
	value = header(q, "Content-Length");
	q->body_bytes = value ? strtoll(value, NULL, 10) : 0;
	value = header(q, "Range");
	q->from = value && !strncmp(value, "bytes=", 6) ? strtoll(value + 6, NULL, 10) : 0;
	return !header(q, "Expect") || write_all(q->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static void *run_connection(void *user)
{
	struct request *q = user;
	while (read_head(q) && serve(q))
		continue;
	close(q->fd);
	free(q);
	return NULL;
}

struct hashing {
	int layer;
	int64_t byte_count;
	char digest[80];
};

static void *hash_layer(void *user)
{
	struct hashing *h = user;
	digest_of(NULL, h->byte_count, h->layer, h->digest);
	return NULL;
}

static void add_blob(const char *digest, char *bytes, int64_t n, int layer)
{
	char path[200];
	snprintf(path, sizeof path, "/v2/huge/app/blobs/%s", digest);
	add(path, digest, "application/octet-stream", bytes, n, layer);
}

static void add_image(struct hashing *layers, int count)
{
	static const char type[] = "application/vnd.oci.image.manifest.v1+json";
	char config[80], digest[80], path[200], *text = NULL;
	size_t room;
	FILE *f = open_memstream(&text, &room);
	digest_of("{}", 2, -1, config);
	add_blob(config, strdup("{}"), 2, -1);
	fprintf(f,
		"{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":"
		"\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":2},"
		"\"layers\":[",
		type, config);
	for (int i = 0; i < count; i++) {
		add_blob(layers[i].digest, NULL, layers[i].byte_count, layers[i].layer);
		fprintf(f,
			"%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
			"\"size\":%" PRId64 "}",
			i ? "," : "", layers[i].digest, layers[i].byte_count);
	}
	fputs("]}", f);
	fclose(f);
	digest_of(text, (int64_t)strlen(text), -1, digest);
	snprintf(path, sizeof path, "/v2/huge/app/manifests/%s", digest);
	add("/v2/huge/app/manifests/1", digest, type, strdup(text), (int64_t)strlen(text), -1);
	add(path, digest, type, text, (int64_t)strlen(text), -1);
}

/* Digests are computed two at a time. */
static void make_image(int count, int64_t layer_bytes)
{
	struct hashing *layers = calloc((size_t)count, sizeof *layers);
	pthread_t threads[2];
	for (int i = 0; i < count; i += 2) {
		int n = count - i < 2 ? 1 : 2;
		for (int k = 0; k < n; k++) {
			layers[i + k] = (struct hashing){.layer = i + k, .byte_count = layer_bytes};
			pthread_create(&threads[k], NULL, hash_layer, &layers[i + k]);
		}
		for (int k = 0; k < n; k++)
			pthread_join(threads[k], NULL);
	}
	add_image(layers, count);
	free(layers);
}

static void *answer_lines(void *user)
{
	char line[64];
	(void)user;
	while (fgets(line, sizeof line, stdin)) {
		printf("%lld\n", atomic_load(&taken_bytes));
		fflush(stdout);
	}
	exit(0);
}

static int listen_at(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	return bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64) ? -1 : fd;
}

int main(int argc, char **argv)
{
	int layer_count = argc > 3 ? (int)strtol(argv[2], NULL, 10) : 0, one = 1;
	pthread_t thread;
	signal(SIGPIPE, SIG_IGN);
	if (argc > 3)
		make_image(layer_count, strtoll(argv[3], NULL, 10) << 20);
	int fd = argc > 1 ? listen_at((int)strtol(argv[1], NULL, 10)) : -1;
	if (fd < 0)
		return 2;
	printf("ready\n");
	fflush(stdout);
	pthread_create(&thread, NULL, answer_lines, NULL);
	for (;;) {
		struct request *q = calloc(1, sizeof *q);
		q->fd = accept(fd, NULL, NULL);
		setsockopt(q->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (q->fd < 0 || pthread_create(&thread, NULL, run_connection, q))
			return 1;
		pthread_detach(thread);
	}
}
