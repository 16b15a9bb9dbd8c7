/* SPDX-License-Identifier: Apache-2.0 */
/* What can be read from the file without running it: its dynamic symbols. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/conform/conform.h"

/* Process-wide state belongs to the core. */
static const char *const forbidden[] = {"exit",
					"_exit",
					"_Exit",
					"quick_exit",
					"abort",
					"signal",
					"sigaction",
					"setenv",
					"putenv",
					"unsetenv",
					"clearenv",
					"fork",
					"vfork",
					"execve",
					"execv",
					"execvp",
					"posix_spawn",
					"posix_spawnp",
					"system",
					"popen",
					"chdir",
					"fchdir",
					"umask",
					"setlocale",
					"curl_global_init",
					"curl_global_cleanup",
					NULL};

struct object {
	const char *bytes;
	size_t byte_count;
	const ElfW(Sym) * symbols;
	size_t symbol_count;
	const char *names;
	size_t name_bytes;
};

static bool in_file(const struct object *o, uint64_t at, uint64_t count)
{
	return at <= o->byte_count && count <= o->byte_count - at;
}

static bool find_symbols(struct object *o)
{
	const ElfW(Ehdr) *head = (const void *)o->bytes;
	if (o->byte_count < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
	    !in_file(o, head->e_shoff, (uint64_t)head->e_shnum * sizeof(ElfW(Shdr))))
		return false;
	const ElfW(Shdr) *sections = (const void *)(o->bytes + head->e_shoff);
	for (size_t i = 0; i < head->e_shnum; i++) {
		const ElfW(Shdr) *s = &sections[i];
		if (s->sh_type != SHT_DYNSYM || s->sh_link >= head->e_shnum)
			continue;
		const ElfW(Shdr) *names = &sections[s->sh_link];
		if (!in_file(o, s->sh_offset, s->sh_size) ||
		    !in_file(o, names->sh_offset, names->sh_size))
			return false;
		o->symbols = (const void *)(o->bytes + s->sh_offset);
		o->symbol_count = s->sh_size / sizeof(ElfW(Sym));
		o->names = o->bytes + names->sh_offset;
		o->name_bytes = names->sh_size;
		return true;
	}
	return false;
}

static const char *name_of(const struct object *o, const ElfW(Sym) * s)
{
	bool is_whole = s->st_name < o->name_bytes &&
			memchr(o->names + s->st_name, 0, o->name_bytes - s->st_name);
	return is_whole ? o->names + s->st_name : "";
}

static bool is_forbidden(const char *name)
{
	for (const char *const *f = forbidden; *f; f++)
		if (!strcmp(*f, name))
			return true;
	return false;
}

static void add(char *list, size_t room, const char *name)
{
	size_t at = strlen(list);
	snprintf(list + at, room - at, "%s%s", at ? " " : "", name);
}

static void check_symbols(const struct object *o)
{
	char wrong_exports[400] = "", wrong_calls[400] = "";
	bool has_plugin = false;
	for (size_t i = 1; i < o->symbol_count; i++) {
		const ElfW(Sym) *s = &o->symbols[i];
		const char *name = name_of(o, s);
		if (s->st_shndx == SHN_UNDEF) {
			if (is_forbidden(name))
				add(wrong_calls, sizeof wrong_calls, name);
		} else if (!strncmp(name, "berth_plugin_v", 14)) {
			has_plugin = true;
		} else {
			add(wrong_exports, sizeof wrong_exports, name);
		}
	}
	tap_ok(has_plugin && !wrong_exports[0], "it exports berth_plugin_v1 and nothing else",
	       has_plugin ? wrong_exports : "berth_plugin_v1 is missing");
	tap_ok(!wrong_calls[0], "it calls nothing that changes the whole process", wrong_calls);
}

void check_file(const char *path, const char *name)
{
	struct object o = {0};
	struct stat st;
	tap_ok(plugin_name_is_legal(name), "its file name is a legal plugin name", name);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0) {
		tap_ok(false, "the file can be read", path);
		return;
	}
	o.byte_count = (size_t)st.st_size;
	void *bytes = mmap(NULL, o.byte_count, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		tap_ok(false, "the file can be mapped", path);
		return;
	}
	o.bytes = bytes;
	if (find_symbols(&o))
		check_symbols(&o);
	else
		tap_ok(false, "it is an ELF shared object with dynamic symbols", path);
	munmap(bytes, o.byte_count);
}
