/* SPDX-License-Identifier: Apache-2.0 */
/* One blob on its way, as the files of it share it: its life (move.c), the
 * source's end (move_read.c), the target's end (move_write.c), and going on in
 * the middle (move_resume.c).
 *
 * The hash goes along with what is read, always: where an upload goes on at a byte,
 * reading begins at a point before it of which the hash's state is known (a mark),
 * and what the target has already is hashed and not sent.
 *
 * Requests are freed in done callbacks, timers and ticks alone, never while
 * libcurl is inside produce or consume.
 */
#ifndef CORE_TRANSFER_MOVE_H
#define CORE_TRANSFER_MOVE_H

#include "core/transfer/journal.h"
#include "core/transfer/parts.h"
#include "core/transfer/spool.h"

#define PIECE_BYTES 16384                 /* what libcurl hands over at most */
#define PROGRESS_BYTES ((int64_t)1 << 20) /* between failures: they don't add up */

enum stage { STAGE_ASK, STAGE_STATUS, STAGE_OPEN, STAGE_IDLE, STAGE_STREAM, STAGE_COMMIT };

/* Between two tries a move gives its slots to others, and waits for new ones. */
enum wait { WAIT_NOT, WAIT_READ, WAIT_ALL };

struct move {
	struct move *next, *previous;
	struct transfer *run;
	struct place *place;
	enum stage stage; /* of the writer */
	struct registry_request *reader, *writer;
	struct stream *stream;    /* it reads together with others (fan.h), or NULL */
	struct move *next_member; /* of that stream */
	struct net_timer *retry, *read_retry;
	struct ring ring;
	struct hasher *hasher;
	struct spool *spool; /* what was read of it; NULL: none is kept */
	char *session;
	/* Offsets in the blob: read and hashed, given to the target, had by the
	 * target when this upload went on (0: a new one), where the hash began. */
	int64_t received, sent, base, began;
	int64_t skip, read_mark;
	/* Of what comes after received: paid for before it is sent, and before it is taken. */
	int64_t paid, taken;
	int64_t acked; /* what the target last said that it has; -1: not asked */
	unsigned asks; /* for it */
	int64_t mark;  /* base of the last upload that went on */
	unsigned attempt, failures, read_failures;
	bool feeding;         /* from the spool, before the source is asked for the rest */
	bool is_fed;          /* some of what this upload got came from the spool */
	bool is_ranged;       /* the reader asks for a range */
	bool is_astray;       /* and is given another one */
	bool is_pieced;       /* a range came */
	bool is_whole;        /* the source's ranges are no good: it is asked for all */
	bool is_mute;         /* the target does not tell how far an upload is */
	enum wait waits;      /* for slots, to go on */
	bool has_slot[2];     /* by side */
	uint64_t began_ms[2]; /* its last request, by side */
	bool is_mate;         /* what it read came from a stream, which broke */
	bool is_lagging;      /* its stream waits for it, and not for all members */
	uint64_t lagged_ms;   /* so long it did */
	bool is_due;          /* its GET starts when enough of it is paid for */
	bool verified, reader_paused, writer_paused, dropped;
	struct berth_error bad;    /* the source's bytes are not what was promised */
	struct berth_error late;   /* why this upload ends, once its address is known */
	struct berth_error broken; /* a request could not start: seen to in the next tick */
	int slot;                  /* of the journal; -1: none */
	struct journal_entry kept; /* its marks are in use without a journal too */
};

int64_t move_size(const struct move *m);

/* move.c */
void move_end(struct move *m, bool by_us);                        /* the blob is there */
void move_fail(struct move *m, struct berth_error *err);          /* it won't be */
void attempt_fail(struct move *m, const struct berth_error *why); /* this upload is over */
void move_leave(struct move *m);                                  /* the run is ending */
uint64_t move_backoff_ms(const struct move *m, unsigned failures, const struct berth_error *err);
bool is_passing(int code);

/* Trouble with its last request at that side: what its registry is to know of it. true:
 * it came of too many at once, and is no failure of this blob. */
MUST_USE bool move_troubled(struct move *m, int side, const struct berth_error *err);
void slot_give(struct move *m, int side);
void move_wait(struct move *m, enum wait waits); /* goes on when there are slots */

/* move_read.c */
void read_start(struct move *m);
void drop_reader(struct move *m);
void read_feed(struct move *m); /* puts more from the spool into the ring, if that is on */
/* For streams of several moves: what read_consume does in three steps. read_fresh: how many
 * of byte_count bytes are new; below 0: they are no good. */
ssize_t read_fresh(struct move *m, size_t byte_count);
bool read_may_pay(struct move *m, size_t byte_count);
MUST_USE int read_take(struct move *m, const char *bytes, size_t byte_count);
void read_prepare(struct move *m); /* of a request that begins at m->received */
void read_headers(void *user, struct registry_request *q);
void read_end(struct move *m, const struct berth_error *err);
void read_alone(struct move *m); /* asks the source for the rest, for m alone */
/* Starts the GET of m's blob from m->received on. */
MUST_USE int read_request(struct move *m, struct registry_call *call, struct registry_request **ret,
			  struct berth_error *err);
void read_pay(struct move *m); /* of one that is due: what can be; with all of it the GET starts */

/* pace.c: rates. */
int64_t pace_ahead(struct transfer *t); /* what the source is taken to send ahead */
bool pace_is_on(struct transfer *t, enum transfer_rate rate); /* is there one at all? */
/* How many pieces may be moved now; where it is none, streams are woken later. */
uint64_t pace_pieces(struct transfer *t, enum transfer_rate rate);
void pace_turn_soon(struct transfer *t); /* streams are looked at again, also if none moves */
/* May byte_count bytes (at most a piece) be moved now? They count then. */
MUST_USE bool pace_take(struct transfer *t, enum transfer_rate rate, size_t byte_count);

/* move_write.c */
void drop_writer(struct move *m);
void cancel_session(struct move *m);
/* A request to the target, with its repository and rights. */
MUST_USE int write_request(struct move *m, struct registry_call *call, struct berth_error *err);
/* Takes over the session's next address. */
MUST_USE int take_location(struct move *m, struct registry_request *q, struct berth_error *err);
void ask_start(struct move *m);    /* is the blob there? else goes on, or anew */
void stream_start(struct move *m); /* a new upload from the first byte */
void write_start(struct move *m);  /* sends from m->sent */

/* move_resume.c */
void status_start(struct move *m); /* how far is m->session? then goes on there, or anew */
/* Sets the hash to the last mark at or before the offset; 0: to the beginning. */
MUST_USE int hash_begin(struct move *m, int64_t offset, struct berth_error *err);
void hash_mark(struct move *m);     /* now and then keeps the state after m->received */
void move_remember(struct move *m); /* writes m's entry in the journal */
void move_forget(struct move *m);
/* Takes what an earlier process knew of this blob. */
void move_recall(struct move *m);

#endif
