/* SPDX-License-Identifier: Apache-2.0 */
/* A kubeconfig as somebody gives it: YAML or JSON, read with the caps of
 * core/base/yaml_in.h, and what of one of its contexts says where the API
 * server is and how to sign in there. Whatever would have berthd open a file
 * or start a program is refused. Pure: no file, no network.
 */
#ifndef CORE_API_KUBECONFIG_H
#define CORE_API_KUBECONFIG_H

#include <jansson.h>

#include "core/base/fail.h"

/* context NULL: the current one. *ret has the members of a cluster's body that
 * the text speaks of: address, token, proxy, tls {verify, ca, client_cert,
 * client_key}; json_decref. BERTH_E_INVALID or BERTH_E_LIMIT say what is wrong
 * and what to do; no value of the text is in the message but names. BERTH_E_NO_MEMORY
 * says nothing of the text. */
MUST_USE int kubeconfig_read(const char *text, const char *context, json_t **ret,
			     struct berth_error *err);

#endif
