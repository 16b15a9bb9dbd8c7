/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and importing a plugin: see loader.h. The checks stand in the order
 * of the ABI's rules, so that a plugin of another major is refused by its
 * number and not by the first field that we misread.
 */
#include "core/worker/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/text.h"

#define OPTION_MAX_COUNT 256

const char *option_type_name(uint32_t type)
{
	static const char *const type_names[] = {"string", "url", "int", "bool", "duration_ms"};
	return type < ARRAY_COUNT(type_names) ? type_names[type] : NULL;
}

static bool is_url(const char *s)
{
	const char *at = strstr(s, "://");
	return at && at > s && at[3] && !strpbrk(s, " \t\r\n");
}

bool option_value_fits(uint32_t type, const char *text)
{
	int64_t number;
	switch (type) {
	case BERTH_OPT_STRING:
		return text_is_utf8(text, strlen(text));
	case BERTH_OPT_URL:
		return is_url(text) && text_is_utf8(text, strlen(text));
	case BERTH_OPT_INT:
		return text_parse_i64(text, INT64_MIN, INT64_MAX, &number);
	case BERTH_OPT_BOOL:
		return !strcmp(text, "true") || !strcmp(text, "false");
	case BERTH_OPT_DURATION_MS:
		return text_parse_i64(text, 0, INT64_MAX, &number);
	default:
		return false;
	}
}

/* Copies what the other side declares, zeroes the rest. */
static void abi_import(void *to, size_t room, const void *from, uint32_t has)
{
	memset(to, 0, room);
	memcpy(to, from, has < room ? has : room);
}

static int check_head(const struct berth_plugin *p, struct berth_error *err)
{
	const uint32_t least = offsetof(struct berth_plugin, lifecycle);
	if (p->magic != BERTH_ABI_MAGIC)
		return berth_fail(err, BERTH_E_INVALID, "its magic is 0x%08x, expected 0x%08x",
				  p->magic, BERTH_ABI_MAGIC);
	if (p->abi_major != BERTH_ABI_MAJOR)
		return berth_fail(err, BERTH_E_INVALID,
				  "it has ABI major version %u, this Berth has %u", p->abi_major,
				  BERTH_ABI_MAJOR);
	if (p->size < least)
		return berth_fail(err, BERTH_E_INVALID,
				  "its struct has %u bytes, expected at least %u", p->size, least);
	if (p->needs_minor > BERTH_ABI_MINOR)
		return berth_fail(err, BERTH_E_INVALID, "it needs ABI %u.%u, this Berth has %u.%u",
				  p->abi_major, p->needs_minor, BERTH_ABI_MAJOR, BERTH_ABI_MINOR);
	return 0;
}

static int check_names(const struct berth_plugin *p, const char *name, struct berth_error *err)
{
	if (!p->name)
		return berth_fail(err, BERTH_E_INVALID, "it has no name");
	if (!plugin_name_is_legal(p->name))
		return berth_fail(err, BERTH_E_INVALID,
				  "it calls itself '%.40s', which is not a legal name", p->name);
	if (strcmp(p->name, name) != 0)
		return berth_fail(err, BERTH_E_INVALID,
				  "it calls itself '%.40s', but its file is %s.so", p->name, name);
	if (!p->version || !*p->version)
		return berth_fail(err, BERTH_E_INVALID, "it has no version");
	if (!p->summary || !*p->summary)
		return berth_fail(err, BERTH_E_INVALID, "it has no summary");
	if (!text_is_utf8(p->version, strlen(p->version)) ||
	    !text_is_utf8(p->summary, strlen(p->summary)))
		return berth_fail(err, BERTH_E_INVALID, "its version or summary is not UTF-8");
	if (!p->open)
		return berth_fail(err, BERTH_E_INVALID, "it has no open");
	if (!p->close)
		return berth_fail(err, BERTH_E_INVALID, "it has no close");
	return 0;
}

static bool is_key(const char *key)
{
	size_t byte_count = strlen(key);
	return byte_count && byte_count <= 64 &&
	       strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") == byte_count;
}

static bool has_option(const struct plugin *p, const char *key)
{
	for (size_t i = 0; i < p->option_count; i++) {
		const char *other = p->options[i].key;
		if (other && !strcmp(other, key))
			return true;
	}
	return false;
}

static int check_option(const struct berth_option *o, const struct plugin *to,
			struct berth_error *err)
{
	if (!is_key(o->key))
		return berth_fail(err, BERTH_E_INVALID,
				  "option '%.64s' may have a-z, 0-9 and _ only", o->key);
	if (!option_type_name(o->type))
		return berth_fail(err, BERTH_E_INVALID, "option '%s' has the unknown type %u",
				  o->key, o->type);
	if (o->deflt && !option_value_fits(o->type, o->deflt))
		return berth_fail(err, BERTH_E_INVALID,
				  "option '%s' has the default '%.64s', which is no %s", o->key,
				  o->deflt, option_type_name(o->type));
	if (!o->help || !*o->help || !text_is_utf8(o->help, strlen(o->help)))
		return berth_fail(err, BERTH_E_INVALID, "option '%s' has no help", o->key);
	if (has_option(to, o->key))
		return berth_fail(err, BERTH_E_INVALID, "option '%s' is there twice", o->key);
	return 0;
}

static int import_options(const struct berth_plugin *p, struct plugin *to, struct berth_error *err)
{
	const char *row = (const char *)p->options;
	if (!row)
		return 0;
	if (p->option_stride < offsetof(struct berth_option, help) + sizeof(char *))
		return berth_fail(err, BERTH_E_INVALID,
				  "its option rows have %u bytes, expected at least %zu",
				  p->option_stride,
				  offsetof(struct berth_option, help) + sizeof(char *));
	to->options = calloc(OPTION_MAX_COUNT, sizeof *to->options);
	if (!to->options)
		return berth_fail_memory(err);
	for (;; row += p->option_stride) {
		struct berth_option o;
		abi_import(&o, sizeof o, row, p->option_stride);
		if (!o.key)
			return 0;
		if (to->option_count == OPTION_MAX_COUNT)
			return berth_fail(err, BERTH_E_INVALID, "it has more than %d options",
					  OPTION_MAX_COUNT);
		int code = check_option(&o, to, err);
		if (code)
			return code;
		to->options[to->option_count++] = o;
	}
}

static int import_table(void *to, size_t room, const void *table, const char *what,
			struct berth_error *err)
{
	uint32_t has = 0;
	if (!table)
		return 0;
	memcpy(&has, table, sizeof has);
	if (has < 2 * sizeof(uint32_t))
		return berth_fail(err, BERTH_E_INVALID,
				  "its %s table has size %u, expected the size of its struct", what,
				  has);
	abi_import(to, room, table, has);
	return 0;
}

int plugin_import(const struct berth_plugin *declared, const char *name, struct plugin *to,
		  struct berth_error *err)
{
	struct berth_plugin *p = &to->head;
	int code = check_head(declared, err);
	if (code)
		return code;
	abi_import(p, sizeof *p, declared, declared->size);
	code = check_names(p, name, err);
	if (!code)
		code = import_options(p, to, err);
	if (!code)
		code = import_table(&to->lifecycle, sizeof to->lifecycle, p->lifecycle, "lifecycle",
				    err);
	if (!code)
		code = import_table(&to->integration, sizeof to->integration, p->integration,
				    "integration", err);
	if (!code)
		code = import_table(&to->sync, sizeof to->sync, p->sync, "sync", err);
	if (!code)
		code = import_table(&to->scan, sizeof to->scan, p->scan, "scan", err);
	return code;
}

/* The linker knows how large the symbol really is: a size field that claims
 * more would have us read beyond it. */
static int check_symbol(const struct berth_plugin *p, struct berth_error *err)
{
	Dl_info info;
	void *entry = NULL;
	if (!dladdr1(p, &info, &entry, RTLD_DL_SYMENT) || !entry)
		return berth_fail(err, BERTH_E_INVALID, "it exports no berth_plugin_v1");
	uint64_t really = ((const ElfW(Sym) *)entry)->st_size;
	if (really < 4 * sizeof(uint32_t))
		return berth_fail(err, BERTH_E_INVALID,
				  "its berth_plugin_v1 has %llu bytes, which is no plugin",
				  (unsigned long long)really);
	if (p->magic == BERTH_ABI_MAGIC && p->size > really)
		return berth_fail(err, BERTH_E_INVALID, "its struct claims %u bytes, but has %llu",
				  p->size, (unsigned long long)really);
	return 0;
}

static int load_object(int fd, const struct berth_plugin **ret, struct berth_error *err)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		const char *why = dlerror();
		const char *colon = why ? strstr(why, ": ") : NULL;
		berth_fail(err, BERTH_E_INVALID, "the dynamic linker refused it");
		return berth_cause(err, "%s", colon ? colon + 2 : why ? why : "no reason given");
	}
	const struct berth_plugin *p = dlsym(handle, "berth_plugin_v1");
	if (!p)
		return berth_fail(err, BERTH_E_INVALID, "it exports no berth_plugin_v1");
	*ret = p;
	return check_symbol(p, err);
}

/* All that were loaded, for as long as the process lives. Its one thread's. */
static struct plugin *loaded;

static int mark_of(int fd, struct file_mark *ret, struct berth_error *err)
{
	struct stat st;
	if (fstat(fd, &st))
		return berth_fail_errno(err, errno, "the file cannot be looked at");
	*ret = (struct file_mark){.device = st.st_dev,
				  .inode = st.st_ino,
				  .changed_s = st.st_ctim.tv_sec,
				  .changed_ns = st.st_ctim.tv_nsec,
				  .byte_count = st.st_size};
	return 0;
}

/* Every load keeps a descriptor for good, so a reload loads what is new only. */
static struct plugin *find_loaded(const char *name, const struct file_mark *mark)
{
	for (struct plugin *p = loaded; p; p = p->next)
		if (!strcmp(p->head.name, name) && p->mark.device == mark->device &&
		    p->mark.inode == mark->inode && p->mark.changed_s == mark->changed_s &&
		    p->mark.changed_ns == mark->changed_ns &&
		    p->mark.byte_count == mark->byte_count)
			return p;
	return NULL;
}

/* What dlopen has seen stays open, whatever comes: see struct plugin. */
static int load_file(int take_fd, const char *name, struct plugin **ret, struct berth_error *err)
{
	const struct berth_plugin *declared = NULL;
	AUTO_FD int fd = take_fd;
	struct plugin *p = calloc(1, sizeof *p);
	if (!p)
		return berth_fail_memory(err);
	p->fd = steal_fd(&fd);
	int code = load_object(p->fd, &declared, err);
	if (!code)
		code = plugin_import(declared, name, p, err);
	if (code) {
		free(p->options);
		free(p);
		return code;
	}
	*ret = p;
	return 0;
}

int plugin_load(const char *dir, const char *name, struct plugin **ret, struct berth_error *err)
{
	AUTO_FD int fd = -1;
	struct file_mark mark = {0};
	int code = plugin_file_open(dir, name, &fd, err);
	if (!code)
		code = mark_of(fd, &mark, err);
	if (code)
		return code;
	struct plugin *p = find_loaded(name, &mark);
	if (!p) {
		code = load_file(steal_fd(&fd), name, &p, err);
		if (code)
			return code;
		p->mark = mark;
		p->next = loaded;
		loaded = p;
	}
	*ret = p;
	return 0;
}
