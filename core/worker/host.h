/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin may ask of us: the vtable that open is given. */
#ifndef CORE_WORKER_HOST_H
#define CORE_WORKER_HOST_H

#include <berth/plugin.h>

struct job;
struct instance;

/* Behind berth_call.core. */
struct host_call {
	struct job *job;
	const struct instance *instance;
};

extern const struct berth_host host_vtable;

#endif
