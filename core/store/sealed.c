/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of secrets: sealed texts by owner and field. Each is bound to its own
 * row id, which is made anew whenever the text is.
 */
#include "core/base/clock.h"
#include "core/store/integrations.h"
#include "core/store/texts.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define SECRET_MAX_BYTES ((size_t)1024 * 1024)
#define KEPT_FIELD "kept"
#define PROOF_SETTING "key-proof"

enum { SQL_PUT, SQL_GET, SQL_INFO, SQL_REMOVE, SQL_SWEEP };
static const struct store_sql sql[] = {
	[SQL_PUT] = {"secret-put",
		     "INSERT INTO secrets (id, owner, field, sealed, fingerprint, updated_ms) "
		     "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (owner, field) DO UPDATE SET "
		     "id = excluded.id, sealed = excluded.sealed, "
		     "fingerprint = excluded.fingerprint, updated_ms = excluded.updated_ms"},
	[SQL_GET] = {"secret-get", "SELECT id, sealed FROM secrets WHERE owner = ? AND field = ?"},
	[SQL_INFO] = {"secret-info",
		      "SELECT fingerprint, updated_ms FROM secrets WHERE owner = ? AND field = ?"},
	[SQL_REMOVE] = {"secret-remove", "DELETE FROM secrets WHERE owner = ? AND field = ?"},
	[SQL_SWEEP] = {"secret-sweep",
		       "DELETE FROM secrets WHERE owner NOT IN (SELECT id FROM integrations) AND "
		       "owner NOT IN (SELECT id FROM clusters) AND NOT EXISTS "
		       "(SELECT 1 FROM operations o WHERE o.ended_ms = 0 AND "
		       "o.arguments LIKE '%' || secrets.owner || '%')"},
};
const struct store_texts secrets_texts = {sql, ARRAY_COUNT(sql)};

int secret_store(struct store *s, const struct sealer *sealer, const char *owner, const char *field,
		 const char *text, struct berth_error *err)
{
	AUTO_BUF struct buf sealed = {.max = SECRET_MAX_BYTES};
	char id[UUID_ROOM], fingerprint[9] = "";
	int rc;

	uuid_make(id);
	rc = secret_seal(sealer, id, text, strlen(text), &sealed, err);
	if (!rc)
		rc = secret_fingerprint(sealer, text, fingerprint, err);
	if (rc)
		return rc;
	return store_run(s, &sql[SQL_PUT],
			 VALUES(V_TEXT(id), V_TEXT(owner), V_TEXT(field),
				V_BLOB(sealed.bytes, sealed.byte_count), V_TEXT(fingerprint),
				V_INT(clock_unix_ms())),
			 NULL, err);
}

int secret_load(struct store *s, const struct sealer *sealer, const char *owner, const char *field,
		char **ret, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	const void *sealed;
	size_t sealed_count;
	int rc = store_query(s, &sql[SQL_GET], VALUES(V_TEXT(owner), V_TEXT(field)), &rows, err);

	*ret = NULL;
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (rc || !has_row)
		return rc;
	sealed = rows_blob(rows, 1, &sealed_count);
	return secret_unseal(sealer, rows_text(rows, 0), sealed, sealed_count, ret, err);
}

int secret_info(struct store *s, const char *owner, const char *field, struct secret_info *ret,
		struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	int rc = store_query(s, &sql[SQL_INFO], VALUES(V_TEXT(owner), V_TEXT(field)), &rows, err);

	memset(ret, 0, sizeof(*ret));
	if (!rc)
		rc = rows_next(rows, &ret->set, err);
	if (rc || !ret->set)
		return rc;
	snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", rows_text(rows, 0));
	ret->updated_ms = rows_int(rows, 1);
	return 0;
}

int secret_remove(struct store *s, const char *owner, const char *field, struct berth_error *err)
{
	return store_run(s, &sql[SQL_REMOVE], VALUES(V_TEXT(owner), V_TEXT(field)), NULL, err);
}

int secret_sweep(struct store *s, struct berth_error *err)
{
	return store_run(s, &sql[SQL_SWEEP], NULL, 0, NULL, err);
}

int kept_store(struct store *s, const struct sealer *sealer, const char *integration_id,
	       const char *text, struct berth_error *err)
{
	if (!*text)
		return secret_remove(s, integration_id, KEPT_FIELD, err);
	return secret_store(s, sealer, integration_id, KEPT_FIELD, text, err);
}

int kept_load(struct store *s, const struct sealer *sealer, const char *integration_id, char **ret,
	      struct berth_error *err)
{
	return secret_load(s, sealer, integration_id, KEPT_FIELD, ret, err);
}

int store_check_key(struct store *s, const struct sealer *sealer, struct berth_error *err)
{
	AUTO_FREE char *stored = NULL;
	char proof[65];
	int rc = store_get_setting(s, PROOF_SETTING, &stored, err);

	if (rc || sealer_proof(sealer, proof, err))
		return err->code;
	if (!stored)
		return store_set_setting(s, PROOF_SETTING, proof, err);
	if (strlen(stored) != 64 || CRYPTO_memcmp(stored, proof, 64) != 0)
		return berth_fail(err, BERTH_E_DENIED,
				  "this is not the key that the store was sealed with: bring back "
				  "the right one; nothing was changed");
	return 0;
}
