/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to paste, as the API shows them (ImageCommands). Runs in berthd. */
#ifndef CORE_API_COMMANDS_H
#define CORE_API_COMMANDS_H

#include "core/base/js.h"

/* The lines of an integration, with USER, SPACE, REPOSITORY and TAG to be replaced.
 * desired: what is wanted of it; has_spaces: its references begin with a space's name.
 * *ret is new. */
MUST_USE int commands_quick_start(const json_t *desired, bool has_spaces, json_t **ret,
				  struct berth_error *err);

#endif
