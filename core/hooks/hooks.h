/* SPDX-License-Identifier: Apache-2.0 */
/* `berthd --hooks`: a process of its own, for those who want it, that receives what
 * registries tell of themselves over HTTPS and passes what it understood on to the
 * control socket. It has no store, no plugin and no right but that of telling.
 *
 *	POST /hooks/INTEGRATION    Authorization: the secret of that integration
 *	202  understood            400  not a notification      401  not the secret
 *	404  another path          405, 413, 415                as in RFC 9110
 */
#ifndef CORE_HOOKS_HOOKS_H
#define CORE_HOOKS_HOOKS_H

struct hooks_options {
	const char *config;         /* NULL: none */
	const char *control_socket; /* of berthd */
};
/* Runs until SIGTERM; SIGHUP reads the secrets anew. Returns the exit status. */
int hooks_run(const struct hooks_options *o);

#endif
