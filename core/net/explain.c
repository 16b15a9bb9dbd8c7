/* SPDX-License-Identifier: Apache-2.0 */
/* Why an exchange failed, in words that say which of name, route, proxy, TLS
 * or the answer itself it was. libcurl's own line goes into the cause.
 */
#include <openssl/x509_vfy.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/net/http_private.h"

static const struct {
	long verdict; /* of OpenSSL's check of the chain */
	const char *words;
	bool is_about_time;
} verdicts[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, "has expired", true},
	{X509_V_ERR_CERT_NOT_YET_VALID, "is not valid yet", true},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	 "is self-signed and not trusted here (give it as the CA to trust it)", false},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	 "is signed by an authority that is not trusted here (give its CA certificate)", false},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	 "is signed by an authority that is not known here (give its CA certificate)", false},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	 "is signed by an authority that is not known here (give its CA certificate)", false},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
	 "has a chain with a missing authority (the server must send it, or give its CA)", false},
	{X509_V_ERR_CERT_SIGNATURE_FAILURE, "has a wrong signature", false},
	{X509_V_ERR_CERT_REVOKED, "has been revoked", false},
	{X509_V_ERR_EE_KEY_TOO_SMALL, "has a key that is too weak", false},
	{X509_V_ERR_CA_KEY_TOO_SMALL, "is signed by an authority with a key that is too weak",
	 false},
	{X509_V_ERR_CA_MD_TOO_WEAK, "is signed with a hash that is too weak", false},
	{X509_V_ERR_INVALID_CA, "is signed by a certificate that is no authority", false},
	{X509_V_ERR_INVALID_PURPOSE, "is not one for servers", false},
};

static const char *curl_words(const struct net_exchange *x, CURLcode result)
{
	return x->error_text[0] ? x->error_text : curl_easy_strerror(result);
}

static bool text_has(const struct net_exchange *x, const char *word)
{
	return strstr(x->error_text, word) != NULL;
}

static void with_clock(struct net_exchange *x, const char *words, struct berth_error *err)
{
	char now[CLOCK_TEXT_ROOM];
	clock_format(clock_unix_ms(), now);
	berth_fail(err, BERTH_E_TLS, "the certificate of %s %s, by this machine's clock (%s)",
		   x->origin, words, now);
}

static void explain_certificate(struct net_exchange *x, struct berth_error *err)
{
	long verdict = X509_V_OK;
	if (text_has(x, "subject name")) { /* libcurl's own check, after OpenSSL's */
		berth_fail(err, BERTH_E_TLS, "the certificate of %s is for another name",
			   x->origin);
		return;
	}
	curl_easy_getinfo(x->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	for (size_t i = 0; i < ARRAY_COUNT(verdicts); i++) {
		if (verdicts[i].verdict != verdict)
			continue;
		if (verdicts[i].is_about_time)
			with_clock(x, verdicts[i].words, err);
		else
			berth_fail(err, BERTH_E_TLS, "the certificate of %s %s", x->origin,
				   verdicts[i].words);
		return;
	}
	berth_fail(err, BERTH_E_TLS, "the certificate of %s was refused", x->origin);
}

static void explain_handshake(struct net_exchange *x, struct berth_error *err)
{
	bool plain = text_has(x, "wrong version number") || text_has(x, "http request") ||
		     text_has(x, "packet length too long");
	bool wants_cert = text_has(x, "certificate required") || text_has(x, "handshake failure") ||
			  text_has(x, "bad certificate");
	berth_fail(err, BERTH_E_TLS, "no TLS connection to %s%s", x->origin,
		   plain        ? " (it seems to speak plain http there)"
		   : wants_cert ? " (it may want a client certificate)"
				: "");
}

static void explain_refused(struct net_exchange *x, struct berth_error *err)
{
	berth_fail(err, BERTH_E_ADDRESS, "%s is at an address that may not be connected to",
		   x->origin);
	berth_cause(err, "%s", x->refused_text);
}

struct reason {
	CURLcode result;
	int code;
	bool may_retry;
	const char *before, *after; /* the origin */
};

static const struct reason reasons[] = {
	{CURLE_COULDNT_RESOLVE_HOST, BERTH_E_UNAVAILABLE, true, "the name of ", " was not found"},
	{CURLE_COULDNT_RESOLVE_PROXY, BERTH_E_UNAVAILABLE, true, "the name of the proxy to ",
	 " was not found"},
	{CURLE_COULDNT_CONNECT, BERTH_E_UNAVAILABLE, true, "no connection to ", ""},
	{CURLE_OPERATION_TIMEDOUT, BERTH_E_UNAVAILABLE, true, "no connection to ", " in time"},
	{CURLE_GOT_NOTHING, BERTH_E_UNAVAILABLE, true, "", " hung up without an answer"},
	{CURLE_RECV_ERROR, BERTH_E_UNAVAILABLE, true, "the connection to ", " broke"},
	{CURLE_SEND_ERROR, BERTH_E_UNAVAILABLE, true, "the connection to ", " broke"},
	{CURLE_SEND_FAIL_REWIND, BERTH_E_UNAVAILABLE, true, "the connection to ", " broke"},
	{CURLE_PARTIAL_FILE, BERTH_E_UNAVAILABLE, true, "", " ended its answer before its end"},
	{CURLE_PROXY, BERTH_E_UNAVAILABLE, false, "the proxy refused a way to ", ""},
	{CURLE_UNSUPPORTED_PROTOCOL, BERTH_E_PROTOCOL, false, "", " does not answer in HTTP"},
	{CURLE_WEIRD_SERVER_REPLY, BERTH_E_PROTOCOL, false, "", " does not answer in HTTP"},
	{CURLE_HTTP2, BERTH_E_PROTOCOL, false, "", " does not answer in HTTP/1.1"},
	{CURLE_BAD_CONTENT_ENCODING, BERTH_E_PROTOCOL, false, "",
	 " sent a body that can't be read"},
	{CURLE_SSL_CERTPROBLEM, BERTH_E_INVALID, false, "the client certificate or key for ",
	 " is no use"},
	{CURLE_SSL_CACERT_BADFILE, BERTH_E_INVALID, false, "the CA for ", " is no PEM certificate"},
	{CURLE_URL_MALFORMAT, BERTH_E_INVALID, false, "an URL at ", " that is none"},
};

/* What stood on a kept connection may be the rest of the answer before, as of a body to
 * a HEAD: on a new one it is not. */
static bool is_left_over(const struct net_exchange *x, CURLcode result)
{
	long made = 1;
	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &made);
	return !made &&
	       (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY);
}

static void explain_by_table(struct net_exchange *x, CURLcode result, struct berth_error *err)
{
	static const struct reason other = {0, BERTH_E_INTERNAL, false, "the request to ",
					    " failed"};
	const struct reason *found = &other;
	for (size_t i = 0; i < ARRAY_COUNT(reasons); i++)
		if (reasons[i].result == result)
			found = &reasons[i];
	x->may_retry = found->may_retry || is_left_over(x, result);
	berth_fail(err, found->code, "%s%s%s", found->before, x->origin, found->after);
}

/* With a proxy in between, what can't be connected to is the proxy. */
static bool is_about_proxy(const struct net_exchange *x, CURLcode result)
{
	if (!x->client->settings.proxy)
		return false;
	return result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_PROXY ||
	       text_has(x, "CONNECT") || text_has(x, "proxy") || text_has(x, "Proxy");
}

static void explain_proxy(struct net_exchange *x, struct berth_error *err)
{
	long status = 0; /* of the answer to CONNECT; curl's words name ports, too */
	curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	bool wants_user = status == 407;
	berth_fail(err, wants_user ? BERTH_E_AUTH : BERTH_E_UNAVAILABLE, "the proxy %s%s",
		   x->client->settings.proxy,
		   wants_user ? " asks for a user and a password" : " gives no way to the server");
	x->may_retry = !wants_user;
}

static bool is_tls_alert(const struct net_exchange *x, CURLcode result)
{
	return result == CURLE_SSL_CONNECT_ERROR ||
	       ((result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR) &&
		text_has(x, "alert "));
}

void net_explain(struct net_exchange *x, CURLcode result, struct berth_error *err)
{
	bool begun = x->header_bytes > 0;
	if (x->failure.code) {
		*err = x->failure;
		if (err->code == BERTH_E_LIMIT) { /* what was sent is too long */
			err->from = BERTH_FROM_CURL;
			err->upstream = (int32_t)result;
		}
		return;
	}
	/* What is to look like a closed port goes on as one. */
	if (x->refused == BERTH_E_UNAVAILABLE && result == CURLE_ABORTED_BY_CALLBACK)
		result = CURLE_COULDNT_CONNECT;
	if (x->refused && x->refused != BERTH_E_UNAVAILABLE &&
	    (result == CURLE_COULDNT_CONNECT || result == CURLE_ABORTED_BY_CALLBACK)) {
		explain_refused(x, err);
		return;
	}
	if (is_about_proxy(x, result))
		explain_proxy(x, err);
	else if (result == CURLE_PEER_FAILED_VERIFICATION)
		explain_certificate(x, err);
	else if (is_tls_alert(x, result))
		explain_handshake(x, err);
	else if (result == CURLE_OUT_OF_MEMORY && begun) /* so 7.88 calls a line over 100 KiB */
		berth_fail(err, BERTH_E_LIMIT, "%s sent a header line that is too long", x->origin);
	else if (result == CURLE_OUT_OF_MEMORY)
		berth_fail_memory(err);
	else
		explain_by_table(x, result, err);
	err->from = BERTH_FROM_CURL;
	err->upstream = (int32_t)result;
	berth_cause(err, "%s", curl_words(x, result));
}
