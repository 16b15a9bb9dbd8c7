/* SPDX-License-Identifier: Apache-2.0 */
/* Cron lines: what is accepted has a next turn after the time asked for, or none
 * at all, and never one that repeats.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cron.h"
#include "core/base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	struct berth_error err = ERROR_INIT;
	struct cron c;
	int64_t now_ms = 1774750000000;

	if (!text || cron_parse(text, &c, &err))
		return 0;
	for (int i = 0; i < 3; i++) {
		int64_t next_ms = 0;
		int r = cron_next(&c, "UTC", now_ms, &next_ms, &err);
		if (r == BERTH_E_NOT_FOUND)
			return 0;
		if (r || next_ms <= now_ms || next_ms % 60000)
			abort();
		now_ms = next_ms;
	}
	return 0;
}
