/* SPDX-License-Identifier: Apache-2.0 */
/* What an exchange with a server may take: time, tries, bytes and items. Read
 * from the configuration by berthd, carried in a call frame, held to in a job.
 */
#ifndef CORE_NET_LIMITS_H
#define CORE_NET_LIMITS_H

#include <stdint.h>

/* Time-outs and caps; every one is a configuration key. Zero: the default. */
struct net_limits {
	uint32_t connect_ms;         /* 10 000 */
	uint32_t answer_ms;          /* 60 000: a control request from start to end */
	uint32_t low_speed_s;        /* 30: below low_speed_bytes a second for so long */
	uint32_t low_speed_bytes;    /* 1 024 */
	uint32_t retry_after_max_ms; /* 300 000 */
	uint32_t tries;              /* 3 in all, of what may be repeated */
	uint32_t backoff_ms;         /* 500: the first pause, doubling, with jitter */
	uint32_t header_max_bytes;   /* 64 KiB */
	uint32_t pages_max;          /* 1 000 */
	uint32_t items_max;          /* 1 000 000 */
	uint32_t commit_ms;          /* 300 000: the most from a streamed body to its answer */
};

#endif
