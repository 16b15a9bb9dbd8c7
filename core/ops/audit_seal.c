/* SPDX-License-Identifier: Apache-2.0 */
/* Seals of the audit chain, and pruning: see audit_seal.h. */
#include "core/ops/audit_seal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/log.h"
#include "core/ops/audit.h"

static const struct sealer *sealer;
static char public_key[SIGN_PUBLIC_ROOM];

/* Makes the public key where it could not be made before: with a sealer no row is
 * written unsigned, as one would be that came while there was no memory for the key. */
static int need_key(struct berth_error *err)
{
	return !sealer || *public_key ? 0 : secret_sign_public(sealer, public_key, err);
}

void seal_set_sealer(const struct sealer *given)
{
	struct berth_error err = ERROR_INIT;

	sealer = given;
	public_key[0] = '\0';
	if (need_key(&err))
		log_warning("the audit trail can't be signed yet: %s", err.message);
}

const char *seal_public_key(void)
{
	struct berth_error err = ERROR_INIT;

	(void)need_key(&err); /* without it nothing is verified as signed */
	return public_key;
}

int seal_load(struct store *s, const char *kind, struct chain_seal *ret, struct berth_error *err)
{
	AUTO_AUDIT_SEAL struct audit_seal row = {0};

	if (audit_seal_get(s, kind, &row, err))
		return err->code;
	*ret = (struct chain_seal){.number = row.number, .time_ms = row.time_ms};
	snprintf(ret->hash, sizeof(ret->hash), "%s", row.hash);
	snprintf(ret->signature, sizeof(ret->signature), "%s", row.signature);
	return 0;
}

int seal_store(struct store *s, const char *kind, int64_t number, const char *hash,
	       struct berth_error *err)
{
	struct chain_seal seal = {.number = number, .time_ms = clock_unix_ms()};

	snprintf(seal.hash, sizeof(seal.hash), "%s", hash);
	AUTO_FREE char *text = chain_seal_text(kind, &seal);
	if (!text)
		return berth_fail_memory(err);
	if (sealer && (need_key(err) || secret_sign(sealer, text, seal.signature, err)))
		return err->code;
	struct audit_seal row = {.kind = (char *)(uintptr_t)kind,
				 .number = number,
				 .hash = seal.hash,
				 .time_ms = seal.time_ms,
				 .signature = seal.signature};
	return audit_seal_put(s, &row, err);
}

/* The newest row; 0 and "" of an empty trail. */
static int find_last(struct store *s, int64_t *ret_number, char *hash, struct berth_error *err)
{
	AUTO_AUDIT_ROW struct audit_row last = {0};
	struct berth_error why = ERROR_INIT;
	int rc = audit_row_last(s, &last, &why);

	*ret_number = 0;
	hash[0] = '\0';
	if (rc == BERTH_E_NOT_FOUND)
		return 0;
	if (rc) {
		*err = why;
		return rc;
	}
	*ret_number = last.number;
	snprintf(hash, CHAIN_HASH_ROOM, "%s", last.hash);
	return 0;
}

int seal_find_end(struct store *s, int64_t *ret_number, char *hash, bool *ret_is_unsigned,
		  struct berth_error *err)
{
	struct chain_seal end = {.number = 0};
	struct berth_error why = ERROR_INIT;
	int rc = need_key(err);
	if (!rc)
		rc = find_last(s, ret_number, hash, err);
	int found = rc ? rc : seal_load(s, CHAIN_END, &end, &why);

	*ret_is_unsigned = false;
	if (rc || (found && found != BERTH_E_NOT_FOUND)) {
		*err = rc ? *err : why;
		return err->code;
	}
	bool fits = !found && end.number == *ret_number && !strcmp(end.hash, hash);
	if (fits && (!*end.signature || !sealer)) {
		*ret_is_unsigned = sealer && end.number;
		return 0;
	}
	if (fits && chain_seal_holds(CHAIN_END, &end, public_key))
		return 0;
	log_error("audit: the trail ends at row %lld, which is not what its seal says: see "
		  "berthctl audit verify",
		  (long long)*ret_number);
	*ret_number = (end.number > *ret_number ? end.number : *ret_number) + 1;
	return 0;
}

struct pruning {
	struct chain_walk walk;
	int64_t before_ms, last_number;
	bool is_over;
};

static int take_row(void *user, const void *each, struct berth_error *err)
{
	struct pruning *p = user;
	const struct audit_row *row = each;
	AUTO_JSON json_t *document = audit_document(row);

	if (!document)
		return berth_fail_memory(err);
	p->is_over |= row->time_ms >= p->before_ms || row->number >= p->last_number;
	return p->is_over ? 0 : chain_step(&p->walk, document, row->hash, err);
}

static int note_pruning(struct store *s, struct events *e, const struct pruning *p,
			struct berth_error *err)
{
	char before[CLOCK_TEXT_ROOM];
	clock_format(p->before_ms, before);
	AUTO_JSON json_t *detail =
		json_pack("{s:I, s:I, s:s}", "rows", (json_int_t)p->walk.row_count, "up_to",
			  (json_int_t)p->walk.number, "before", before);
	const struct audit_entry entry = {.uid = getuid(),
					  .user_name = "berthd",
					  .action = "audit.prune",
					  .resource = "/v1/audit",
					  .result = "succeeded",
					  .detail = detail};

	return detail ? audit_add(s, e, &entry, err) : berth_fail_memory(err);
}

/* Both seals must hold, or a forged one would be replaced by a good one. */
static int begin_pruning(struct store *s, struct pruning *p, struct berth_error *err)
{
	struct chain_seal start = {.number = 0}, end = {.number = 0};

	if (seal_load(s, CHAIN_START, &start, err) || seal_load(s, CHAIN_END, &end, err) ||
	    chain_begin(&p->walk, public_key, &start, err))
		return err->code;
	if (!chain_seal_holds(CHAIN_END, &end, public_key))
		return berth_fail(err, BERTH_E_DIGEST,
				  "audit: the seal of the chain's end does not hold");
	p->last_number = end.number;
	return 0;
}

int audit_prune(struct store *s, struct events *e, int64_t before_ms, int64_t max_rows,
		int64_t *ret_count, struct berth_error *err)
{
	struct pruning p = {.before_ms = before_ms};
	char tail[64];
	const struct store_page page = {.tail = tail};
	TRANSACTION t = {0};

	*ret_count = 0;
	if (!sealer)
		return 0;
	snprintf(tail, sizeof(tail), "ORDER BY number LIMIT %lld", (long long)max_rows);
	if (transaction_begin(&t, s, err) || begin_pruning(s, &p, err) ||
	    store_list(s, &audit_table, &page, take_row, &p, NULL, err))
		return err->code;
	if (!p.walk.row_count)
		return 0;
	if (audit_row_prune(s, p.walk.number, err) ||
	    seal_store(s, CHAIN_START, p.walk.number, p.walk.hash, err) ||
	    note_pruning(s, e, &p, err) || transaction_commit(&t, err))
		return err->code;
	*ret_count = p.walk.row_count;
	return 0;
}
