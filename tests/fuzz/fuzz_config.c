/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: any text is taken or refused with a place, and what was
 * taken is within its range.
 */
#include <stdlib.h>
#include <string.h>

#include "core/conf/settings.h"

/* libconfig 1.5 forgets a string that a syntax error follows: some bytes for
 * each file that is refused, at a start or a reload. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings s;
	struct berth_error err = ERROR_INIT;

	if (settings_init(&s, &err))
		return 0;
	if (settings_parse("f", (const char *)data, size, &s, &err)) {
		if (strncmp(err.message, "f:", 2) != 0 && err.code != BERTH_E_NO_MEMORY)
			abort();
	} else if (s.net.tries < 1 || s.net.tries > 20 || s.platform.allow.item_count > 256) {
		abort();
	}
	settings_done(&s);
	return 0;
}
