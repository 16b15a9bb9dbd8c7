/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories of a space, and deleting what it holds: shared by repositories,
 * artifacts and tags. */
#ifndef CORE_API_IMAGE_H
#define CORE_API_IMAGE_H

#include "core/api/space.h"

/* The repository of the route, within its space; false: answered 404. */
bool repository_of_route(struct request *q, struct answer *a, const struct space *space,
			 struct repository *ret);

/* What goes: a repository, one tag of it, or one digest with all its tags. */
struct image_removal {
	const char *kind; /* of the operation */
	const char *repository, *tag, *digest;
	const char *what; /* in words, for the plan and the question */
};
/* Shows the plan, asks for the name again, or starts the operation. */
void image_remove(struct request *q, struct answer *a, const struct space *space,
		  const struct image_removal *removal);
/* Does ?confirm= name it? false: answered with what would go. */
bool image_confirmed(struct request *q, struct answer *a, const char *name, const char *what);

#endif
