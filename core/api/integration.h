/* SPDX-License-Identifier: Apache-2.0 */
/* Integrations inside the API: what may be said of one, what a job is told of
 * it, and where its secrets are. Runs in berthd.
 *
 * "desired" is the JSON object of what a user may change, without secrets:
 * address, username, description, tls {verify, ca, client_cert},
 * probe_period_s, enabled, auth_realms, upload_hosts, options. Secrets are
 * sealed rows by owner (the integration's id, or the id of a change that is
 * being proved) and field: "password", "tls_client_key", "option_KEY".
 */
#ifndef CORE_API_INTEGRATION_H
#define CORE_API_INTEGRATION_H

#include "core/api/api.h"
#include "core/store/integrations.h"

/* What a plugin said of itself (an entry of daemon_state.plugins); NULL: there
 * is no such plugin. */
const json_t *catalog_find(const struct daemon_state *d, const char *name);
/* Has the plugin that slot of that table ("integration", "probe")? */
bool catalog_has(const json_t *plugin, const char *table, const char *slot);

/* Does its server make spaces itself? Of a plain registry (its plugin takes
 * "prefixes") they are declared here. */
bool catalog_has_own_spaces(const json_t *plugin);

/* Takes the secrets out of a body or merge patch: *ret_rest is the body
 * without them, *ret_secrets {field: text, or null for "remove it"}. */
MUST_USE int integration_split(const struct daemon_state *d, const char *kind, const json_t *body,
			       json_t **ret_rest, json_t **ret_secrets, struct berth_error *err);
/* Fills in what a desired object lacks and takes out name, kind and scope. */
MUST_USE int integration_defaults(const struct daemon_state *d, json_t *desired,
				  struct berth_error *err);
/* What will be set once the secrets are settled. */
struct integration_secrets {
	bool has_password, has_client_key;
};
/* Everything that is wrong with a desired object, into f. Brings the address
 * into its one form. */
void integration_check(const struct daemon_state *d, const char *kind, json_t *desired,
		       const struct integration_secrets *secrets, struct findings *f);
/* Does the change touch what a proof covers (address, credentials, TLS, ...)? */
bool integration_needs_proof(const json_t *before, const json_t *after, const json_t *secrets);

/* The object that the API shows. */
MUST_USE int integration_show(struct request *q, const void *row, json_t **ret,
			      struct berth_error *err);
/* Finds by the route's name; false: answered 404. */
bool integration_of_route(struct request *q, struct answer *a, struct integration *ret);
/* The same of a name that the body has. */
bool owned_integration(struct request *q, struct answer *a, const char *name,
		       struct integration *ret);
/* Is it enabled and, where needs_health, not known as unhealthy? false:
 * answered 409. */
bool integration_usable(struct answer *a, const struct integration *row, bool needs_health);
/* The same for an operation that starts later: BERTH_E_CONFLICT says which. */
MUST_USE int integration_check_usable(const struct integration *row, bool needs_health,
				      struct berth_error *err);

/* The state of an integration's index as lists show it, from its status. */
MUST_USE int index_state(const char *integration, const char *phase, const json_t *status,
			 json_t **ret, struct berth_error *err);
/* Puts into the status of one what its index holds now; spaces and repositories are counted
 * already. Within the caller's transaction. */
MUST_USE int integration_recount(struct daemon_state *d, const char *id, struct berth_error *err);
/* {"indexes": [INDEX]} for a list that is of this integration alone: its phase, when
 * its index was last read whole, and how the last attempt failed. */
MUST_USE int indexes_of_one(struct daemon_state *d, const char *integration_id, json_t **ret,
			    struct berth_error *err);

/* INSTANCE of a call frame (core/worker/job.h), secrets included: lives only
 * in the frame. pending_owner: secrets of a change that is being proved, which
 * win over the integration's own; NULL: none. A change starts without what its
 * plugin kept: a session would hide a wrong password, or reach another server. */
struct instance_request {
	const char *id, *kind, *scope;
	const json_t *desired;
	const char *pending_owner;
	const json_t *pending_fields; /* which they are; null: removed */
};
/* *ret is new. BERTH_E_UNAVAILABLE: there is no key to open its secrets with. */
MUST_USE int instance_build(struct daemon_state *d, const struct instance_request *request,
			    json_t **ret, struct berth_error *err);
/* The same of an integration as it is stored. */
MUST_USE int instance_of_row(struct daemon_state *d, const struct integration *row, json_t **ret,
			     struct berth_error *err);

/* Moves a member of a body out of it into secrets, as field; "" becomes null: no
 * longer set. One that is not there changes nothing. */
MUST_USE int vault_take(json_t *from, const char *key, json_t *secrets, const char *field,
			struct berth_error *err);
/* Secrets that wait for a proof: sealed in the store, or, for a dry run, which
 * writes nothing, kept in memory until vault_forget. */
MUST_USE int vault_put(struct daemon_state *d, const char *owner, const json_t *secrets,
		       bool is_dry_run, struct berth_error *err);
/* Moves those of fields (vault_names) from their owner to the integration; null members
 * remove what was there. Within the caller's transaction. */
MUST_USE int vault_settle(struct daemon_state *d, const char *owner, const char *integration_id,
			  const json_t *fields, struct berth_error *err);
/* Removes those of fields, sealed or in memory: their change is not made. */
MUST_USE int vault_drop(struct daemon_state *d, const char *owner, const json_t *fields,
			struct berth_error *err);
/* The text, wiped by secret_free, or NULL. */
MUST_USE int vault_load(struct daemon_state *d, const char *owner, const char *field, char **ret,
			struct berth_error *err);
/* Wipes and frees those of a dry run; none: nothing. */
void vault_forget(const char *owner);
/* The fields of secrets without their values, as an operation's arguments have them:
 * {field: true, or null for "remove it"}. All of them, new; NULL: no memory. */
json_t *vault_names(const json_t *secrets);
/* Will the owner have that field once secrets ({field: text, or null for "remove it"})
 * are settled? owner NULL: a new one. */
MUST_USE int vault_will_have(struct daemon_state *d, const char *owner, const json_t *secrets,
			     const char *field, bool *ret, struct berth_error *err);
/* Seals the secrets of a change under an owner of their own and submits its proof, as one
 * transaction; what is refused leaves none behind. q is answered. */
void vault_submit(struct request *q, struct answer *a, const struct op_request *request,
		  const char *owner, const json_t *secrets);
/* At the start: secrets of proofs that a kill left without an operation go. */
MUST_USE int vault_sweep(struct daemon_state *d, struct berth_error *err);

/* An operation on one integration ("probe", "refresh") with {id, name}, which a
 * second one joins. request's members point into *ret_parts. */
void integration_work(const struct integration *row, const char *kind, struct op_request *request,
		      json_t **ret_parts);
/* Its place in the clock: a probe each period, none while it is disabled. */
MUST_USE int integration_schedule(struct daemon_state *d, const struct integration *row,
				  struct berth_error *err);
void integration_unschedule(struct daemon_state *d, const char *id);
/* rates.c: what copies may move a second, shared by all that run. */
/* Of all of them together, as the configuration says now. */
MUST_USE int rates_configured(struct daemon_state *d, struct berth_error *err);
/* Of one integration, as desired says; NULL: none, it is gone. */
MUST_USE int rates_of_integration(struct daemon_state *d, const char *id, const json_t *desired,
				  struct berth_error *err);
/* The rates that the bytes of a copy to so many targets count in: budget_join's wanted; new.
 * An empty id: a target that is not written to. NULL: no memory. */
json_t *rates_of_copy(const char *source_id, char (*target_ids)[UUID_ROOM], size_t count) MUST_USE;
/* The names of copy rules that an integration is an end of: an array. */
MUST_USE int sync_users(struct daemon_state *d, const char *integration, json_t **ret,
			struct berth_error *err);

/* What the API shows of a secret: {"set", "updated_at", "fingerprint"}. */
MUST_USE int secret_state(struct daemon_state *d, const char *owner, const char *field,
			  json_t **ret, struct berth_error *err);

#endif
