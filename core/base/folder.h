/* SPDX-License-Identifier: Apache-2.0 */
/* Folders on disk, for the processes that keep state. No state of its own. */
#ifndef CORE_BASE_FOLDER_H
#define CORE_BASE_FOLDER_H

#include "core/base/fail.h"

/* Waits until the name of the file at `path` is on disk: fsync of its folder. A file
 * whose own bytes are synced can still be lost by name. Blocks as the disk does. */
int folder_sync(const char *path, struct berth_error *err) MUST_USE;

#endif
