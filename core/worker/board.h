/* SPDX-License-Identifier: Apache-2.0 */
/* What a job's process tells the worker's parent without a word: one shared
 * page a child, readable after the child's death. The parent believes nothing
 * in it that could harm: a wrong deadline costs that job alone.
 */
#ifndef CORE_WORKER_BOARD_H
#define CORE_WORKER_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

struct board {
	_Atomic uint64_t deadline_ms; /* CLOCK_MONOTONIC; 0: the call is not read yet */
	_Atomic uint32_t result_sent; /* or its other end is gone */
	_Atomic int32_t program;      /* process group of a program it runs; 0: none */
	char job[64];                 /* its id */
	char call[96];                /* "tags of plugin dockerreg"; empty: none runs */
};

#endif
