/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of integrations, their sealed secrets, and the state that their plugins
 * keep. JSON members are texts in canonical form.
 */
#ifndef CORE_STORE_INTEGRATIONS_H
#define CORE_STORE_INTEGRATIONS_H

#include "core/secrets/secrets.h"
#include "core/store/list.h"

struct integration {
	char *id;           /* UUID; never changes */
	char *name;         /* unique */
	char *kind;         /* the plugin: "dockerreg" */
	char *scope;        /* "platform" or a workspace's name */
	char *desired;      /* what the user may change, without secrets */
	char *status;       /* what was observed */
	char *phase;        /* status.phase, to filter by */
	int64_t generation; /* grows with each change of desired */
	int64_t probe_ms;   /* period of the health probe */
	int64_t checked_ms; /* last probe; 0: never */
	int64_t created_ms, updated_ms;
};
extern const struct store_table integrations_table;

/* A copy of the row, which integration_done empties; BERTH_E_NOT_FOUND names it. */
MUST_USE int integration_get(struct store *s, const char *name, struct integration *ret,
			     struct berth_error *err);
MUST_USE int integration_get_by_id(struct store *s, const char *id, struct integration *ret,
				   struct berth_error *err);
void integration_done(struct integration *row);
#define AUTO_INTEGRATION CLEANUP(integration_done)

/* Adds; BERTH_E_CONFLICT where the name is taken. id, generation and times are
 * the caller's. */
MUST_USE int integration_add(struct store *s, const struct integration *row,
			     struct berth_error *err);
/* Writes desired, generation, probe_ms and updated_ms of the row with that id. */
MUST_USE int integration_change(struct store *s, const struct integration *row,
				struct berth_error *err);
MUST_USE int integration_set_status(struct store *s, const char *id, const char *status,
				    const char *phase, int64_t checked_ms, struct berth_error *err);
/* Removes it with its spaces, index, secrets and kept state. */
MUST_USE int integration_remove(struct store *s, const char *id, struct berth_error *err);
/* Secret fields. owner is the row that they belong to, field its name
 * ("password"). The text is sealed with the sealer, AAD = the secret's own row
 * id. A NULL sealer (no key): BERTH_E_UNAVAILABLE. */
struct secret_info {
	bool set;
	int64_t updated_ms;
	char fingerprint[9]; /* 8 hex of a keyed hash */
};
MUST_USE int secret_store(struct store *s, const struct sealer *sealer, const char *owner,
			  const char *field, const char *text, struct berth_error *err);
/* The text, wiped and freed by secret_free; NULL where not set. BERTH_E_DIGEST:
 * the row does not open (damaged, moved from another row). */
MUST_USE int secret_load(struct store *s, const struct sealer *sealer, const char *owner,
			 const char *field, char **ret, struct berth_error *err);
MUST_USE int secret_info(struct store *s, const char *owner, const char *field,
			 struct secret_info *ret, struct berth_error *err);
MUST_USE int secret_remove(struct store *s, const char *owner, const char *field,
			   struct berth_error *err);

/* Drops those of no integration, no cluster and no operation that has not ended. */
MUST_USE int secret_sweep(struct store *s, struct berth_error *err);

/* Is this the key that the store was sealed with? The first call writes the
 * proof, later ones check it. BERTH_E_DENIED: another key; nothing is written. */
MUST_USE int store_check_key(struct store *s, const struct sealer *sealer, struct berth_error *err);

/* What a plugin keeps between jobs, sealed: JSON text; "" forgets it. */
MUST_USE int kept_store(struct store *s, const struct sealer *sealer, const char *integration_id,
			const char *text, struct berth_error *err);
MUST_USE int kept_load(struct store *s, const struct sealer *sealer, const char *integration_id,
		       char **ret, struct berth_error *err);

#endif
