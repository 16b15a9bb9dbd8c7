/* SPDX-License-Identifier: Apache-2.0 */
/* berth/error.h - why a call failed, in a form that both sides of the plugin
 * boundary can fill without memory and without failing. Included by plugin.h;
 * stands alone too.
 */
#ifndef BERTH_ERROR_H
#define BERTH_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Result codes: zero or one of these. A number is never reused. */
enum {
	BERTH_OK = 0,
	BERTH_E_INVALID = -1,     /* the request or the configuration is wrong */
	BERTH_E_NOT_FOUND = -2,   /* the named thing is not there */
	BERTH_E_CONFLICT = -3,    /* it exists already, or changed meanwhile */
	BERTH_E_AUTH = -4,        /* who we are was refused */
	BERTH_E_DENIED = -5,      /* we are known, and not allowed */
	BERTH_E_UNAVAILABLE = -6, /* the backend can't be reached; retry_ms says when */
	BERTH_E_TIMEOUT = -7,     /* the call's deadline passed */
	BERTH_E_CANCELLED = -8,   /* the caller gave up */
	BERTH_E_UNSUPPORTED = -9, /* this backend can't do that */
	BERTH_E_PROTOCOL = -10,   /* the backend answered something we don't read */
	BERTH_E_NO_MEMORY = -11,
	BERTH_E_INTERNAL = -12,  /* a bug here */
	BERTH_E_LIMIT = -13,     /* an input went over its cap */
	BERTH_E_TLS = -14,       /* the certificate or the handshake was refused */
	BERTH_E_DIGEST = -15,    /* bytes do not have the digest they were promised under */
	BERTH_E_THROTTLED = -16, /* 429 or 503 with a time; retry_ms says when */
	BERTH_E_QUOTA = -17,     /* the backend has no room for it */
	BERTH_E_READ_ONLY = -18, /* the backend takes no change at present, or that one never */
	BERTH_E_ADDRESS = -19    /* the address is not one this caller may reach */
};

/* What berth_error.upstream counts in. */
enum {
	BERTH_FROM_NONE,
	BERTH_FROM_ERRNO,
	BERTH_FROM_HTTP,
	BERTH_FROM_CURL,
	BERTH_FROM_SQL,
	BERTH_FROM_SIGNAL
};

/* Why a call failed. The caller owns it, on its stack; filling it can't fail.
 * message is what we tried, cause is what came back from below: both UTF-8,
 * one line, no trailing period, and never a secret. */
struct berth_error {
	uint32_t size;     /* sizeof(struct berth_error) as the caller compiled it */
	int32_t code;      /* BERTH_E_* */
	uint32_t from;     /* BERTH_FROM_* */
	int32_t upstream;  /* errno, HTTP status, CURLcode, SQL code or signal */
	uint32_t retry_ms; /* milliseconds until a retry makes sense; 0: don't */
	char message[236];
	char cause[512];
};

#ifdef __cplusplus
}
#endif
#endif /* BERTH_ERROR_H */
