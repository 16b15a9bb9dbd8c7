/* SPDX-License-Identifier: Apache-2.0 */
/* When a server wants to be asked again. Pure. */
#ifndef CORE_OCI_RETRY_H
#define CORE_OCI_RETRY_H

#include <stdint.h>

/* The pause a Retry-After header asks for in ms, clamped to max; -1: none. */
int64_t retry_parse(const char *header, int64_t now_unix_ms, uint32_t max_ms);

#endif
