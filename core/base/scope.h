/* SPDX-License-Identifier: Apache-2.0 */
/* Release at the end of a scope: AUTO_FREE, AUTO(type) and STEAL. One place
 * for the cleanup attribute, so that no function needs goto for it. A type
 * takes part by SCOPE_TYPE(name, free function) beside its own declaration.
 */
#ifndef CORE_BASE_SCOPE_H
#define CORE_BASE_SCOPE_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(f) __attribute__((cleanup(f)))
#define MUST_USE __attribute__((warn_unused_result))

/* Declares the cleanup of `type *` variables: AUTO(type) p = ... */
#define SCOPE_TYPE(name, type, release)                                                            \
	static inline void scope_##name(type **p)                                                  \
	{                                                                                          \
		if (*p)                                                                            \
			release(*p);                                                               \
	}
#define AUTO(name) CLEANUP(scope_##name)

static inline void scope_free(void *p)
{
	free(*(void **)p);
}
static inline void scope_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void scope_json_decref(json_t **j)
{
	json_decref(*j);
}
static inline void scope_file(FILE **f)
{
	if (*f)
		fclose(*f);
}
/* Gives a descriptor away, so that AUTO_FD leaves it open. */
static inline int steal_fd(int *fd)
{
	int given = *fd;
	*fd = -1;
	return given;
}
#define AUTO_FREE CLEANUP(scope_free)
#define AUTO_FD CLEANUP(scope_fd)
#define AUTO_JSON CLEANUP(scope_json_decref)
#define AUTO_FILE CLEANUP(scope_file)

/* Gives p away and forgets it. */
#define STEAL(p)                                                                                   \
	__extension__({                                                                            \
		__typeof__(p) steal_ = (p);                                                        \
		(p) = NULL;                                                                        \
		steal_;                                                                            \
	})

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
