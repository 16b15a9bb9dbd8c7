/* SPDX-License-Identifier: Apache-2.0 */
/* Media types of what registries hold, and what a thing is by them. */
#ifndef CORE_OCI_MEDIA_H
#define CORE_OCI_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_ARTIFACT                                                                         \
	"application/vnd.oci.artifact.manifest.v1+json" /* withdrawn; read only */
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_V1 "application/vnd.docker.distribution.manifest.v1"

/* What every request for a manifest accepts. Without the list types a
 * docker-registry 2.8 answers an index's tag with its amd64 child. */
#define MEDIA_ACCEPT                                                                               \
	MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST  \
			", " MEDIA_OCI_ARTIFACT

/* Are the types equal, letter case and parameters ("; charset=utf-8") aside? */
bool media_equal(const char *a, const char *b);
bool media_is_index(const char *type);
bool media_is_image_config(const char *type);
/* A word for people: "image", "helm-chart", "signature", "sbom",
 * "attestation", "wasm", "artifact", from an artifact type or a config's or
 * layer's type (NULL where absent). */
const char *media_thing(const char *artifact_type, const char *config_type, const char *layer_type);

#endif
