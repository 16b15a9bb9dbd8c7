/* SPDX-License-Identifier: Apache-2.0 */
/* An artifact's document as a person reads it. */
#ifndef CLIENT_IMAGE_H
#define CLIENT_IMAGE_H

#include "client/cli.h"
#include "core/oci/reference.h"

/* Prints what it is, its platforms, layers with the history line that made each
 * of them, and what refers to it. */
void image_print(struct cli *c, const struct reference *ref, const json_t *artifact);

#endif
