/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object a packet on a SOCK_SEQPACKET connection: the transport of
 * job.h's vocabulary, the same at both ends.
 */
#ifndef CORE_WORKER_FRAME_H
#define CORE_WORKER_FRAME_H

#include <jansson.h>

#include "core/base/fail.h"

#define FRAME_MAX_BYTES (64 * 1024)

/* Sends one. Blocks where the descriptor does. BERTH_E_LIMIT: the frame is too
 * long, nothing was sent; BERTH_E_UNAVAILABLE: the other end is gone. */
MUST_USE int frame_send(int fd, const json_t *frame, struct berth_error *err);
/* The same without ever blocking. BERTH_E_TIMEOUT: there is no room just now. */
MUST_USE int frame_send_now(int fd, const json_t *frame, struct berth_error *err);
/* Receives one without waiting. *ret is NULL where there is none yet.
 * BERTH_E_UNAVAILABLE: the other end has hung up or shut its side;
 * BERTH_E_PROTOCOL: what came is no frame. json_decref. */
MUST_USE int frame_receive(int fd, json_t **ret, struct berth_error *err);

#endif
