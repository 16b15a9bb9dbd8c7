/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfigs: what is accepted has an address and exactly one credential, and
 * neither the result nor a refusal of it speaks of files or programs to run.
 */
#include <stdlib.h>
#include <string.h>

#include "core/api/kubeconfig.h"
#include "core/base/js.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	AUTO_JSON json_t *found = NULL;
	struct berth_error err = ERROR_INIT;

	if (!text)
		return 0;
	int code = kubeconfig_read(text, NULL, &found, &err);
	if (code) {
		if (!err.message[0] || found)
			abort();
		return 0;
	}
	const json_t *tls = json_object_get(found, "tls");
	bool has_token = js_str(found, "token", NULL), has_cert = js_str(tls, "client_cert", NULL);
	if (!js_str(found, "address", NULL) || has_token == has_cert ||
	    !json_is_boolean(json_object_get(tls, "verify")))
		abort();
	return 0;
}
