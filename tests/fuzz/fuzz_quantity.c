/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of Kubernetes: never negative, and more of a finer unit. */
#include <stdlib.h>
#include <string.h>

#include "core/base/quantity.h"
#include "core/base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t whole = 0, thousandths = 0;
	AUTO_FREE char *text = strndup((const char *)data, size);
	if (!text || !quantity_parse(text, 1000, &thousandths))
		return 0;
	if (thousandths < 0 || !quantity_parse(text, 1, &whole) || whole < 0)
		abort();
	if (thousandths > 1000 * (__int128)whole || (thousandths && !whole))
		abort();
	return 0;
}
