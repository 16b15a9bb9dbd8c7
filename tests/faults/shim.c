/* SPDX-License-Identifier: Apache-2.0 */
/* Faults for any program, by LD_PRELOAD. BERTH_FAULT holds one of
 *
 *	count           only count
 *	kill:N          SIGKILL at the N-th call that changes a file (from 1)
 *	torn:N          the same, after half of that write went through
 *	cut:N           the same, and BERTH_DURABLE holds what a power cut leaves:
 *	                each file as it was at its last fsync
 *	fail:N:ERRNO    calls from the N-th on fail with that number
 *	once:N:ERRNO    only the N-th does
 *	while:ERRNO     they fail as long as the file BERTH_FAULT_FILE is there
 *	malloc:N        the N-th allocation gives NULL
 *	request         what is received while BERTH_FAULT_FILE holds a number N takes
 *	                that file away, and the N-th allocation after it gives NULL;
 *	                BERTH_FAULT_COUNT is then there
 *	connect:N:ERRNO the N-th connect over IP fails
 *	forks           no process can be made as long as BERTH_FAULT_FILE is there
 *	names           each look-up of a name below .test reads BERTH_FAULT_FILE: its
 *	                addresses, or `none` (no such name), or `again` (no answer)
 *	clock:SECONDS   the wall clock is off by so much (the monotonic one is not)
 *
 * What counts: write, pwrite, writev, ftruncate, fsync, fdatasync on regular
 * files and folders, rename, link, unlink. At the end, or before dying, the count
 * goes to the file BERTH_FAULT_COUNT. Programs with the word BERTH_FAULT_SKIP in
 * their command line are left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum fault {
	NONE,
	COUNT,
	KILL,
	TORN,
	CUT,
	FAIL,
	ONCE,
	WHILE,
	MALLOC,
	CONNECT,
	CLOCK,
	NAMES,
	FORKS,
	REQUEST
};
static enum fault fault;
static long at, number;
static atomic_long calls, allocations, connects, left;

/* BERTH_FAULT_SKIP is a word of the command lines that are left alone: a
 * program whose children are the same program. */
static bool is_left_alone(void)
{
	const char *word = getenv("BERTH_FAULT_SKIP");
	char line[4096];
	ssize_t n;
	int fd;

	if (!word)
		return false;
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	n = read(fd, line, sizeof(line));
	close(fd);
	return n > 0 && memmem(line, (size_t)n, word, strlen(word));
}

__attribute__((constructor)) static void start(void)
{
	static const char *const names[] = {"",      "count", "kill",  "torn",   "cut",
					    "fail",  "once",  "while", "malloc", "connect",
					    "clock", "names", "forks", "request"};
	const char *spec = getenv("BERTH_FAULT");
	const char *colon = spec ? strchr(spec, ':') : NULL;
	size_t length = colon ? (size_t)(colon - spec) : spec ? strlen(spec) : 0;

	if (colon) {
		char *end;

		at = strtol(colon + 1, &end, 10);
		number = *end == ':' ? strtol(end + 1, NULL, 10) : EIO;
	}
	for (int i = COUNT; i <= REQUEST && !is_left_alone(); i++)
		if (spec && strlen(names[i]) == length && !strncmp(names[i], spec, length))
			fault = (enum fault)i;
}

static void report(void)
{
	const char *path = getenv("BERTH_FAULT_COUNT");
	char text[32];
	int fd, length;

	if (!path || !fault || fault == REQUEST)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	length = snprintf(text, sizeof(text), "%ld\n",
			  fault == MALLOC ? atomic_load(&allocations) : atomic_load(&calls));
	syscall(SYS_write, fd, text, (size_t)length);
	close(fd);
}

__attribute__((destructor)) static void end(void)
{
	report();
}

static void die(void)
{
	report();
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

static bool is_counted(int fd)
{
	struct stat st;

	return fault && !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* *ret_die: it is this call's turn to be the last. True: fail with errno. */
static bool is_hit(bool *ret_die)
{
	long n = atomic_fetch_add(&calls, 1) + 1;

	if (fault == WHILE && !access(getenv("BERTH_FAULT_FILE"), F_OK)) {
		errno = (int)at;
		return true;
	}
	*ret_die = n == at && (fault == KILL || fault == TORN || fault == CUT);
	if ((fault == FAIL && n >= at) || (fault == ONCE && n == at)) {
		errno = (int)number;
		return true;
	}
	return false;
}

/* A copy of the file as it is on disk now. */
static void keep_durable(int fd)
{
	const char *folder = getenv("BERTH_DURABLE");
	char link[64], path[PATH_MAX], copy[PATH_MAX], bytes[65536];
	ssize_t n;
	off_t from = 0;
	int to, again;

	if (fault != CUT || !folder)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	if (snprintf(copy, sizeof(copy), "%s%s", folder, strrchr(path, '/')) >= PATH_MAX)
		return;
	again = open(link, O_RDONLY | O_CLOEXEC); /* fd may be for writing only */
	to = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while ((n = syscall(SYS_pread64, again, bytes, sizeof(bytes), from)) > 0) {
		syscall(SYS_write, to, bytes, (size_t)n);
		from += n;
	}
	close(again);
	close(to);
}

/* A second name is durable once its folder is synced; the bytes behind it are
 * those of the last fsync. */
#define RENAMES 8
static struct {
	char from[NAME_MAX + 1], to[NAME_MAX + 1];
} names[RENAMES];
static int name_count;

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void note_name(const char *from, const char *to)
{
	if (fault != CUT || name_count == RENAMES)
		return;
	snprintf(names[name_count].from, sizeof(names[0].from), "%s", base(from));
	snprintf(names[name_count++].to, sizeof(names[0].to), "%s", base(to));
}

static void keep_names(void)
{
	const char *folder = getenv("BERTH_DURABLE");
	char from[PATH_MAX], to[PATH_MAX];

	if (fault != CUT || !folder)
		return;
	for (int i = 0; i < name_count; i++) {
		snprintf(from, sizeof(from), "%s/%s", folder, names[i].from);
		snprintf(to, sizeof(to), "%s/%s", folder, names[i].to);
		syscall(SYS_rename, from, to);
	}
	name_count = 0;
}

static ssize_t do_pwrite(int fd, const void *bytes, size_t count, off_t from, bool has_offset)
{
	bool dies = false;
	ssize_t n;

	if (is_counted(fd) && is_hit(&dies))
		return -1;
	if (dies && fault == KILL)
		die();
	if (dies)
		count /= 2;
	n = has_offset ? syscall(SYS_pwrite64, fd, bytes, count, from)
		       : syscall(SYS_write, fd, bytes, count);
	if (dies)
		die();
	return n;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t count)
{
	return do_pwrite(fd, bytes, count, 0, false);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t count, off_t from)
{
	return do_pwrite(fd, bytes, count, from, true);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t from)
{
	return do_pwrite(fd, bytes, count, from, true);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int part_count)
{
	bool dies = false;

	if (is_counted(fd) && is_hit(&dies))
		return -1;
	if (dies)
		die();
	return syscall(SYS_writev, fd, parts, part_count);
}

static int do_sync(int fd, long call)
{
	struct stat st;
	bool dies = false;
	int rc;

	if (is_counted(fd) && is_hit(&dies))
		return -1;
	if (dies)
		die();
	rc = (int)syscall(call, fd);
	if (!rc && !fstat(fd, &st) && S_ISDIR(st.st_mode))
		keep_names();
	else if (!rc)
		keep_durable(fd);
	return rc;
}

EXPORT int fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

EXPORT int ftruncate(int fd, off_t count)
{
	bool dies = false;

	if (is_counted(fd) && is_hit(&dies))
		return -1;
	if (dies)
		die();
	return (int)syscall(SYS_ftruncate, fd, count);
}

EXPORT int ftruncate64(int fd, off64_t count)
{
	return ftruncate(fd, count);
}

static bool is_name_hit(void)
{
	bool dies = false;

	if (fault && is_hit(&dies))
		return true;
	if (dies)
		die();
	return false;
}

EXPORT int rename(const char *from, const char *to)
{
	if (is_name_hit())
		return -1;
	note_name(from, to);
	return (int)syscall(SYS_rename, from, to);
}

EXPORT int link(const char *from, const char *to)
{
	if (is_name_hit())
		return -1;
	note_name(from, to);
	return (int)syscall(SYS_link, from, to);
}

EXPORT int unlink(const char *path)
{
	return is_name_hit() ? -1 : (int)syscall(SYS_unlink, path);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	bool is_ip = address->sa_family == AF_INET || address->sa_family == AF_INET6;

	if (fault == CONNECT && is_ip && atomic_fetch_add(&connects, 1) + 1 == at) {
		errno = (int)number;
		return -1;
	}
	return (int)syscall(SYS_connect, fd, address, length);
}

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* The addresses of a text, one behind the other; glibc frees each by itself. */
static int listed(look_up *real, char *text, const char *port, const struct addrinfo *hints,
		  struct addrinfo **to)
{
	char *rest = NULL;
	struct addrinfo **end = to;

	*to = NULL;
	for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		if (!strcmp(word, "none"))
			return EAI_NONAME;
		if (!strcmp(word, "again"))
			return EAI_AGAIN;
		if (real(word, port, hints, end)) /* of a family that is not wanted */
			*end = NULL;
		while (*end)
			end = &(*end)->ai_next;
	}
	return *to ? 0 : EAI_NONAME;
}

EXPORT int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
		       struct addrinfo **to)
{
	look_up *real = NULL;
	size_t length = name ? strlen(name) : 0;
	char text[4096];
	ssize_t n;
	int fd;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (fault != NAMES || length < 5 || strcmp(name + length - 5, ".test") != 0)
		return real(name, port, hints, to);
	fd = open(getenv("BERTH_FAULT_FILE"), O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return EAI_FAIL;
	text[n] = '\0';
	return listed(real, text, port, hints, to);
}

EXPORT pid_t fork(void)
{
	pid_t (*real)(void) = NULL;

	if (fault == FORKS && !access(getenv("BERTH_FAULT_FILE"), F_OK)) {
		errno = EAGAIN;
		return -1;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "fork");
	return real();
}

EXPORT int clock_gettime(clockid_t id, struct timespec *to)
{
	int rc = (int)syscall(SYS_clock_gettime, id, to);

	if (!rc && fault == CLOCK && id == CLOCK_REALTIME)
		to->tv_sec += at;
	return rc;
}

/* glibc's own names: dlsym would allocate. */
extern void *__libc_malloc(size_t count);
extern void *__libc_calloc(size_t count, size_t each);
extern void *__libc_realloc(void *p, size_t count);

EXPORT ssize_t recv(int socket, void *bytes, size_t count, int flags)
{
	const char *path = getenv("BERTH_FAULT_FILE");
	ssize_t n = syscall(SYS_recvfrom, socket, bytes, count, flags, NULL, NULL);
	int fd = fault == REQUEST && n > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";

	if (fd < 0)
		return n;
	if (syscall(SYS_read, fd, text, sizeof(text) - 1) > 0)
		atomic_store(&left, strtol(text, NULL, 10));
	syscall(SYS_unlink, path);
	close(fd);
	return n;
}

/* Is this the one that the file of that request meant? */
static bool is_request_hit(void)
{
	if (atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1)
		return false;
	close(open(getenv("BERTH_FAULT_COUNT"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	errno = ENOMEM;
	return true;
}

static bool is_allocation_hit(void)
{
	if (fault == REQUEST)
		return is_request_hit();
	if (fault != MALLOC || atomic_fetch_add(&allocations, 1) + 1 != at)
		return false;
	errno = ENOMEM;
	return true;
}

EXPORT void *malloc(size_t count)
{
	return is_allocation_hit() ? NULL : __libc_malloc(count);
}

EXPORT void *calloc(size_t count, size_t each)
{
	return is_allocation_hit() ? NULL : __libc_calloc(count, each);
}

EXPORT void *realloc(void *p, size_t count)
{
	return is_allocation_hit() ? NULL : __libc_realloc(p, count);
}
