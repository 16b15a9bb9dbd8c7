/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of the ABI: see berth_host in plugin.h. Inside a job. */
#include "core/worker/host.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/worker/child.h"
#include "core/worker/instance.h"
#include "core/worker/program.h"

#define KEPT_MAX_BYTES (16 * 1024)

static struct host_call *host_of(const struct berth_call *call)
{
	return call->core;
}

static void host_log(const struct berth_call *call, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void host_log(const struct berth_call *call, int level, const char *fmt, ...)
{
	char text[2048];
	va_list args;
	if (level < BERTH_LOG_ERROR || level > BERTH_LOG_DEBUG)
		level = BERTH_LOG_INFO;
	if (level > log_level())
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	job_log(host_of(call)->job, level, "%s", text);
}

static int host_cancelled(const struct berth_call *call)
{
	return job_cancelled(host_of(call)->job) != 0;
}

static void host_progress(const struct berth_call *call, uint64_t done, uint64_t total)
{
	job_progress(host_of(call)->job, done, total, "items", NULL, NULL);
}

static const char *host_option(const void *config, const char *key)
{
	return instance_option(config, key);
}

static const char *host_kept(const void *config)
{
	return ((const struct instance *)config)->kept;
}

static int host_keep(const struct berth_call *call, const char *json)
{
	static const struct js_limits limits = {KEPT_MAX_BYTES, 4096, 16};
	struct host_call *h = host_of(call);
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *state = NULL;
	if (json && js_parse(json, strnlen(json, KEPT_MAX_BYTES + 1), &limits, &state, &err))
		return err.code;
	if (json && !json_is_object(state))
		return BERTH_E_INVALID;
	return job_keep(h->job, h->instance->name, state, &err);
}

static int host_allow_address(const void *config, const void *sockaddr, uint32_t byte_count)
{
	struct berth_error err = ERROR_INIT;
	return policy_check(&((const struct instance *)config)->policy, sockaddr, byte_count, &err);
}

static int see_cancel(void *job)
{
	return job_cancelled(job);
}

static void note_program(void *job, pid_t group)
{
	atomic_store(&job_board(job)->program, group);
}

static int host_run(const struct berth_call *call, const struct berth_program *program,
		    int *ret_status, struct berth_error *err)
{
	const struct host_call *h = call->core;
	const struct program_watch watch = {.cancelled = see_cancel,
					    .runs = note_program,
					    .grace_ms = job_settings(h->job)->jobs.grace_ms,
					    .user = h->job};
	return program_run(program, &watch, ret_status, err);
}

const struct berth_host host_vtable = {
	.size = sizeof host_vtable,
	.abi_minor = BERTH_ABI_MINOR,
	.log = host_log,
	.cancelled = host_cancelled,
	.progress = host_progress,
	.option = host_option,
	.kept = host_kept,
	.keep = host_keep,
	.allow_address = host_allow_address,
	.run = host_run,
};
