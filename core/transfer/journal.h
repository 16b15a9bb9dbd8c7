/* SPDX-License-Identifier: Apache-2.0 */
/* What a run must know to go on in the middle of a blob after its process was
 * killed: for each open upload its address, and some points of the blob with
 * the state of the hash there. One small file a run, in the worker's cache
 * folder; it may be lost at any time and costs nothing but bytes then.
 *
 * Nothing in it is believed: the registry says how far an upload is, the source
 * is asked for the rest by digest, and the digest over all of it decides.
 *
 * The file is a head and SLOTS places for uploads, each written in turn in two
 * halves that never share a page, with a checksum: whatever part of the writes a
 * power cut lets through, a slot reads as something that it once held, or as
 * nothing. Its size is fixed. One thread; other processes are kept off by flock.
 */
#ifndef CORE_TRANSFER_JOURNAL_H
#define CORE_TRANSFER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/digest.h"

#define JOURNAL_SLOTS 256
#define JOURNAL_MARKS 8
#define JOURNAL_URL_ROOM 1600 /* longer addresses are not kept */
#define JOURNAL_NAME_ROOM 260

/* The hash over the first `offset` bytes of a blob. */
struct journal_mark {
	int64_t offset;
	unsigned char state[HASHER_STATE_ROOM];
};
struct journal_entry {
	struct digest digest;
	int64_t byte_count; /* of the blob */
	char repository[JOURNAL_NAME_ROOM], session[JOURNAL_URL_ROOM];
	uint32_t mark_count;
	struct journal_mark marks[JOURNAL_MARKS]; /* oldest first */
};

struct journal;
/* Opens or makes FOLDER/copy-RUN.journal. identity is what must be the same for
 * the old content to be of use: rule, registries. Otherwise it is dropped, and
 * journal_dropped says so. Files that nobody came back for within a week are
 * removed. BERTH_E_CONFLICT: another process has it open. */
MUST_USE int journal_open(const char *folder, const char *run, const char *identity,
			  struct journal **ret, struct berth_error *err);
/* Closes; the file stays where keeps is set. Accepts NULL. */
void journal_close(struct journal *j, bool keeps);
const char *journal_dropped(const struct journal *j); /* why; or NULL */

/* The upload of that blob (digest NULL: any) which an earlier process had open,
 * and the slot that it stays in until it is cleared. free(). NULL: none. */
struct journal_entry *journal_take(struct journal *j, const char *repository,
				   const struct digest *digest, int *ret_slot);

/* Writes an upload's entry: *slot is -1 at first, and what journal_clear wants. A
 * full journal or disk writes nothing: the copy goes on without. */
void journal_put(struct journal *j, int *slot, const struct journal_entry *entry);
void journal_clear(struct journal *j, int *slot);
/* Brings what was written to the disk, at most every 2 s; for power cuts alone. */
void journal_tick(struct journal *j, uint64_t now_ms);

#endif
