/* SPDX-License-Identifier: Apache-2.0 */
/* From a file to a plugin that may be called: checks on the file, the load,
 * checks on what it declares, in the order of design's plugin ABI, one
 * sentence a defect. Runs in the worker, first in a trial child.
 */
#ifndef CORE_WORKER_LOADER_H
#define CORE_WORKER_LOADER_H

#include <berth/plugin.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/fail.h"

/* Which file it is, and in what state: another one is another plugin. */
struct file_mark {
	uint64_t device, inode;
	int64_t changed_s, changed_ns, byte_count;
};

/* A loaded plugin: our own copy of all that it declares, zero where it is
 * older than we are. Never unloaded: code that ran may have left pointers. */
struct plugin {
	struct berth_plugin head;
	struct berth_lifecycle_ops lifecycle;
	struct berth_integration_ops integration;
	struct berth_sync_ops sync;
	struct berth_scan_ops scan;
	struct berth_option *options; /* of our size */
	size_t option_count;
	int fd; /* stays open: dlopen would take a file with a reused number for this one */
	struct file_mark mark;
	struct plugin *next; /* in the list of all that were loaded */
};

/* name: [a-z0-9-]+, at most 32; the file is DIR/name.so. The plugin lives as
 * long as the process; a file that is loaded already and was not touched since
 * gives the same one again. */
MUST_USE int plugin_load(const char *dir, const char *name, struct plugin **ret,
			 struct berth_error *err);

/* The parts, for tests and for the conformance kit. */
bool plugin_name_is_legal(const char *name);
/* Opens DIR/name.so and checks file and folder: kind, owner, mode, ELF. */
MUST_USE int plugin_file_open(const char *dir, const char *name, int *ret_fd,
			      struct berth_error *err);
/* Checks and imports what a loaded object declares. */
MUST_USE int plugin_import(const struct berth_plugin *declared, const char *name, struct plugin *to,
			   struct berth_error *err);
/* Is text a value of that option type? what: for the sentence. */
bool option_value_fits(uint32_t type, const char *text);
const char *option_type_name(uint32_t type); /* "string" ... "duration_ms"; NULL: unknown */

#endif
