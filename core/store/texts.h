/* SPDX-License-Identifier: Apache-2.0 */
/* Every SQL text and every table of the row modules, so that the tests can
 * prepare all of them on each database.
 */
#ifndef CORE_STORE_TEXTS_H
#define CORE_STORE_TEXTS_H

#include "core/store/clusters.h"
#include "core/store/images.h"
#include "core/store/integrations.h"
#include "core/store/logins.h"
#include "core/store/namespaces.h"
#include "core/store/natives.h"
#include "core/store/plans.h"
#include "core/store/records.h"
#include "core/store/roles.h"
#include "core/store/scans.h"
#include "core/store/spaces.h"
#include "core/store/syncs.h"
#include "core/store/watches.h"
#include "core/store/workspaces.h"

struct store_texts {
	const struct store_sql *texts;
	size_t text_count;
};
extern const struct store_texts settings_texts, integrations_texts, secrets_texts, spaces_texts,
	logins_texts, images_texts, scans_texts, syncs_texts, operations_texts, plans_texts,
	records_texts, roles_texts, watches_texts, workspaces_texts, clusters_texts,
	namespaces_texts, natives_texts;
/* Both end with NULL. */
extern const struct store_texts *const store_all_texts[];
extern const struct store_table *const store_all_tables[];

#endif
