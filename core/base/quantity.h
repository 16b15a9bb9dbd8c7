/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts as Kubernetes writes them: "3920m", "7986996Ki", "1.5Gi", "1e3". Pure. */
#ifndef CORE_BASE_QUANTITY_H
#define CORE_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* The amount times scale, rounded up: scale 1 for bytes and counts, 1000 for
 * thousandths of a CPU. False for what is none, is negative, has more than 18
 * digits, or does not fit. (k8s.io/apimachinery, resource.Quantity) */
bool quantity_parse(const char *s, uint32_t scale, int64_t *ret_amount);

#endif
