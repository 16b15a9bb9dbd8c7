/* SPDX-License-Identifier: Apache-2.0 */
/* See services.h. */
#include "core/daemon/services.h"

#include <string.h>

#include "core/base/log.h"
#include "core/secrets/secrets.h"
#include "core/store/store.h"

/* No key is a state to run in (the key may be mounted later); any other fault
 * of the key is one to stop at, before anything is written. */
static int open_sealer(struct daemon_state *d, struct berth_error *err)
{
	if (d->paths.key[0]) {
		int code = sealer_open(d->paths.key, d->is_private, &d->sealer, err);
		if (code != BERTH_E_NOT_FOUND)
			return code;
	}
	snprintf(d->degraded, sizeof d->degraded, "no master key: secrets are off");
	log_warning("there is no master key: integrations with secrets are off until there is one");
	return 0;
}

int services_open_store(struct daemon_state *d, struct berth_error *err)
{
	const struct store_settings settings = {.path = d->paths.store};
	int code = open_sealer(d, err);
	if (!code)
		code = store_open(&settings, &d->store, err);
	if (!code && d->sealer)
		code = sealer_check(d->sealer, d->store, err);
	return code;
}

int services_open(struct daemon_state *d, struct berth_error *err)
{
	return services_open_store(d, err);
}

void services_run(struct daemon_state *d, int *ret_status)
{
	while (!loop_is_stopped(d->loop, ret_status))
		loop_turn(d->loop, -1);
}

void services_configure(struct daemon_state *d)
{
	(void)d;
}

bool services_drain(struct daemon_state *d)
{
	(void)d;
	return true;
}

uint32_t services_running(const struct daemon_state *d)
{
	(void)d;
	return 0;
}

void services_close(struct daemon_state *d)
{
	store_close(d->store);
	d->store = NULL;
	sealer_close(d->sealer);
	d->sealer = NULL;
}
