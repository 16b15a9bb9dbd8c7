/* SPDX-License-Identifier: Apache-2.0 */
/* What was read of a big blob, in a file, for targets that forget an upload when it
 * is cut (docker-registry 2.8): the blob is sent again then, but not read again.
 * In the worker's cache folder, bounded, in the page cache alone: nothing is ever
 * synced, and nothing is believed. What is read back is hashed like what comes from
 * the source, so a file that a power cut damaged is found out and dropped.
 */
#ifndef CORE_TRANSFER_SPOOL_H
#define CORE_TRANSFER_SPOOL_H

#include <stdint.h>
#include <sys/types.h>

#include "core/base/digest.h"

#define SPOOL_LEAST_BYTES ((int64_t)4 << 20) /* of a blob that is worth it */

struct spool;
/* The file of that blob, made where missing, for this process alone. NULL: there is
 * no room below max_bytes for all blobs together, another process has it, or the
 * disk can't. Files that nobody uses make room, the oldest first. */
struct spool *spool_open(const char *folder, const struct digest *digest, int64_t byte_count,
			 uint64_t max_bytes);
int64_t spool_size(const struct spool *s); /* bytes that it has; 0 of NULL */
/* Appends where offset is its end; what it has already is passed over. A disk that
 * can't take them empties it for good. Accepts NULL. */
void spool_add(struct spool *s, int64_t offset, const char *bytes, size_t byte_count);
/* Reads at most room bytes; less than 1: it is damaged. */
ssize_t spool_read(const struct spool *s, int64_t offset, char *to, size_t room);
void spool_empty(struct spool *s);
void spool_close(struct spool *s, bool keeps); /* accepts NULL */

#endif
