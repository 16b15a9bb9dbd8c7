/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that go on: Server-Sent Events where Accept asks for text/event-stream,
 * one JSON object a line otherwise. A stream holds at most 1 MiB that its reader
 * has not taken; a reader slower than that gets a final gap event and is cut.
 *
 * Two ways to feed one: push records as they happen (stream_push), or be asked
 * (pull) whenever the reader can take more, which holds nothing in memory.
 */
#ifndef CORE_HTTP_STREAM_H
#define CORE_HTTP_STREAM_H

#include "core/http/http.h"

#define STREAM_BUFFER_BYTES (1u << 20)
struct stream;
struct stream_ops {
	/* The reader took what there was: push more, stream_end, or return and call
	 * stream_wake later. May be NULL. */
	void (*pull)(struct stream *s, void *user);
	/* The stream is over, by whichever side; s is gone after it. May be NULL. */
	void (*closed)(void *user);
};
/* Makes the answer a stream (200). NULL: answered with a problem (429 with
 * Retry-After over 64 streams, 500), and closed has been called. */
struct stream *answer_stream(struct answer *a, struct request *q, const struct stream_ops *ops,
			     void *user);
/* One record: id 0 leaves the id out; json_text is one line. False: the reader
 * was too slow, gets its gap and is cut; push nothing more. */
bool stream_push(struct stream *s, uint64_t id, const char *type, const char *json_text);
/* More than half of the buffer is filled: a pull that gives many records
 * returns then, and is called again when they are taken. */
bool stream_is_full(const struct stream *s);
/* What the reader missed, as a record of type gap: {"since":N,"until":N}. */
bool stream_push_gap(struct stream *s, uint64_t since, uint64_t until);
/* There may be more to pull. */
void stream_wake(struct stream *s);
/* No more records: the reader gets what is buffered, then the end. */
void stream_end(struct stream *s);

#endif
