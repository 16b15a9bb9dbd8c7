/* SPDX-License-Identifier: Apache-2.0 */
/* One artifact read from a registry by the distribution API, as the items of
 * the artifact slot. For plugins whose servers tell no more by an API of their
 * own.
 */
#ifndef PLUGINS_COMMON_ARTIFACT_H
#define PLUGINS_COMMON_ARTIFACT_H

#include "plugins/common/remote.h"

/* Gives the ARTIFACT of a tag or digest and its REFERRERs. repository is the
 * name under /v2/ of that registry. BERTH_E_NOT_FOUND, BERTH_E_INVALID (a
 * reference that can't be one), and whatever the registry answers. */
MUST_USE int artifact_give(struct remote *remote, struct registry *registry, const char *repository,
			   const char *reference, struct berth_sink *sink, struct berth_error *err);

#endif
