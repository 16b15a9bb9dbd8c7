/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's chain and its seals: see chain.h. */
#include "core/base/chain.h"

#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/base/text.h"

int chain_hash(const json_t *row, const char *previous, char *to, struct berth_error *err)
{
	AUTO_FREE char *text = js_canonical(row);
	AUTO(hasher) struct hasher *h = NULL;
	struct digest d;

	if (!text)
		return berth_fail_memory(err);
	if (hasher_new(DIGEST_SHA256, &h, err))
		return err->code;
	hasher_add(h, previous, strlen(previous));
	hasher_add(h, "\n", 1);
	hasher_add(h, text, strlen(text));
	hasher_end(h, &d);
	text_hex(d.bytes, d.byte_count, to);
	return 0;
}

char *chain_seal_text(const char *kind, const struct chain_seal *seal)
{
	return text_printf("berth audit seal 1\n%s\n%lld\n%s\n%lld\n", kind,
			   (long long)seal->number, seal->hash, (long long)seal->time_ms);
}

bool chain_seal_holds(const char *kind, const struct chain_seal *seal, const char *public_key)
{
	if (!strcmp(kind, CHAIN_START) && !seal->number)
		return !*seal->hash;
	/* OpenSSL calls a signature wrong also where it lacked memory for the look, and
	 * what is called wrong here is so in the trail for good: asked a second time. */
	for (int i = 0; i < 2; i++) {
		AUTO_FREE char *text = chain_seal_text(kind, seal);
		if (text && sign_holds(public_key, text, seal->signature))
			return true;
	}
	return false;
}

int chain_begin(struct chain_walk *w, const char *public_key, const struct chain_seal *start,
		struct berth_error *err)
{
	*w = (struct chain_walk){.public_key = public_key, .number = start->number};
	snprintf(w->hash, sizeof(w->hash), "%s", start->hash);
	if ((*public_key || !start->number) && !chain_seal_holds(CHAIN_START, start, public_key))
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: the seal of the rows that were pruned, up to %lld, does "
				  "not hold: it was forged, or signed with another key",
				  (long long)start->number);
	return 0;
}

int chain_step(struct chain_walk *w, const json_t *row, const char *hash, struct berth_error *err)
{
	int64_t number = js_int(row, "number", 0);
	char found[CHAIN_HASH_ROOM];

	if (number != w->number + 1)
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: row %lld follows row %lld: rows are missing, or there "
				  "are too many",
				  (long long)number, (long long)w->number);
	if (chain_hash(row, w->hash, found, err))
		return err->code;
	if (strcmp(found, hash) != 0)
		return berth_fail(err, BERTH_E_DIGEST, "audit: row %lld was altered",
				  (long long)number);
	if (!strcmp(js_str(row, "action", ""), CHAIN_SEALED_ACTION))
		w->unsigned_to = number - 1;
	w->number = number;
	w->row_count++;
	memcpy(w->hash, found, sizeof(found));
	return 0;
}

int chain_end(const struct chain_walk *w, const struct chain_seal *end, struct berth_error *err)
{
	if (end->number > w->number)
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: the chain ends at row %lld, and its seal says %lld: the "
				  "newest rows are missing",
				  (long long)w->number, (long long)end->number);
	if (end->number < w->number || strcmp(end->hash, w->hash) != 0)
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: the seal of the chain's end, row %lld, is of another "
				  "chain than that of row %lld",
				  (long long)end->number, (long long)w->number);
	if (*w->public_key && w->number && !chain_seal_holds(CHAIN_END, end, w->public_key))
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: the seal of the chain's end, row %lld, does not hold: it "
				  "was forged, or signed with another key",
				  (long long)end->number);
	return 0;
}
