/* SPDX-License-Identifier: Apache-2.0 */
/* Media types: see media.h. */
#include "core/oci/media.h"

#include <string.h>
#include <strings.h>

#include "core/base/scope.h"

static size_t bare_bytes(const char *type)
{
	size_t n = strcspn(type, ";");
	while (n && (type[n - 1] == ' ' || type[n - 1] == '\t'))
		n--;
	return n;
}

bool media_equal(const char *a, const char *b)
{
	size_t n = bare_bytes(a);
	return n == bare_bytes(b) && !strncasecmp(a, b, n);
}

bool media_is_index(const char *type)
{
	return media_equal(type, MEDIA_OCI_INDEX) || media_equal(type, MEDIA_DOCKER_LIST);
}

bool media_is_image_config(const char *type)
{
	return media_equal(type, MEDIA_OCI_CONFIG) || media_equal(type, MEDIA_DOCKER_CONFIG);
}

/* What types tell, by a part of them: cosign, notation, Helm, the SBOM formats
 * and in-toto as they name themselves. */
static const struct {
	const char *part, *thing;
} parts[] = {
	{"vnd.cncf.helm.config", "helm-chart"},
	{"vnd.cncf.helm.chart", "helm-chart"},
	{"vnd.dev.cosign.simplesigning", "signature"},
	{"vnd.dev.cosign.artifact.sig", "signature"},
	{"vnd.dev.sigstore.bundle", "signature"},
	{"vnd.cncf.notary.signature", "signature"},
	{"pgp-signature", "signature"},
	{"jose+json", "signature"},
	{".signature", "signature"},
	{"spdx", "sbom"},
	{"cyclonedx", "sbom"},
	{"vnd.syft", "sbom"},
	{".sbom", "sbom"},
	{"in-toto", "attestation"},
	{"dsse.envelope", "attestation"},
	{"slsa", "attestation"},
	{"wasm", "wasm"},
};

static const char *thing_of(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_COUNT(parts); i++)
		if (strcasestr(type, parts[i].part))
			return parts[i].thing;
	return NULL;
}

const char *media_thing(const char *artifact_type, const char *config_type, const char *layer_type)
{
	const char *thing = thing_of(artifact_type);
	if (!thing)
		thing = thing_of(config_type);
	if (!thing)
		thing = thing_of(layer_type);
	if (thing)
		return thing;
	if (!artifact_type && config_type && media_is_image_config(config_type))
		return "image";
	return "artifact";
}
