# SPDX-License-Identifier: Apache-2.0
"""The image sets of the tests and benchmarks.

Each maker returns a list of (repository, tag, Manifest); push_set() puts them
at a registry.

    shared     10 repositories of 20 tags: 425 blobs, 110 MiB of unique layers
    tiny       50 images of 40 layers of 4 KiB
    one_layer  one image with one layer of a given size
    same       100 tags of one digest
    demo       what a small team's registry looks like
"""

from .images import (CREATED, Image, fallback_tag, multi_arch, random_layer, referrer,
                     tar_layer, to_json)

KIB, MIB = 1 << 10, 1 << 20


def shared(seed=1, repositories=10, tags=20, base=4 * MIB, own=2 * MIB, top=256 * KIB):
    """Five base layers for all, two for each repository, one for each tag."""
    bases = [random_layer(f"{seed}/base/{number}", base) for number in range(5)]
    found = []
    for repo in range(repositories):
        mine = [random_layer(f"{seed}/{repo}/own/{number}", own) for number in range(2)]
        for tag in range(tags):
            last = random_layer(f"{seed}/{repo}/top/{tag}", top)
            image = Image([*bases, *mine, last], {"x-name": f"{seed}/{repo}/{tag}"})
            found.append((f"shared/app-{repo:02}", f"v1.{tag}", image))
    return found


def shared_small(seed=1):
    """The shared set's shape at a thousandth of its weight, for tests."""
    return shared(seed, repositories=3, tags=4, base=4 * KIB, own=2 * KIB, top=256)


def tiny(seed=1, images=50, layers=40, size=4 * KIB):
    found = []
    for number in range(images):
        content = [random_layer(f"{seed}/tiny/{number}/{one}", size) for one in range(layers)]
        found.append((f"tiny/app-{number // 10:02}", f"v{number % 10}", Image(content)))
    return found


def one_layer(size, seed=1):
    return [("big/one", "latest", Image([random_layer(f"{seed}/one/{size}", size)]))]


def same(seed=1, tags=100, size=MIB):
    image = Image([random_layer(f"{seed}/same/{number}", size) for number in range(8)])
    return [("same/app", f"build-{number:03}", image) for number in range(tags)]


def demo(seed=7):
    """Shared layers, a multi-arch index and deep names, as real tar layers.

    The signature and the SBOM are attached by demo_attach().
    """
    def layer(name, kib):
        noise = random_layer(f"{seed}/{name}", kib * KIB).data()
        return tar_layer({f"opt/{name}/data": noise, f"opt/{name}/README": name.encode()})

    base = {arch: layer(f"base-{arch}", 8192) for arch in ("amd64", "arm64")}
    runtime = layer("runtime", 4096)
    found = []
    for name in ("shop/web", "shop/api", "shop/jobs"):
        own = layer(name, 512)
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            top = layer(f"{name}-{version}", 128)
            labels = {"org.opencontainers.image.version": version}
            found.append((name, version, Image([base["amd64"], runtime, own, top],
                                               {"config": {"Labels": labels,
                                                           "Cmd": ["/bin/app"]}})))
    tool = {arch: Image([base[arch], layer(f"tool-{arch}", 256)], architecture=arch)
            for arch in base}
    found.append(("shop/tool", "3.2", multi_arch(tool)))
    deep = "team/payments/backend/services/ledger-v2"
    found.append((deep, "2026.01", Image([base["amd64"], layer("ledger", 256)])))
    found.append(("legacy/app", "stable", Image([base["amd64"], runtime], docker=True)))
    return found


def demo_attach(client, images):
    """Sign shop/web:2.0.0 and give it an SBOM; returns the signed image."""
    image = next(one for name, tag, one in images if (name, tag) == ("shop/web", "2.0.0"))
    client.sign("shop/web", image)
    sbom = to_json({"spdxVersion": "SPDX-2.3", "name": "shop/web", "packages": [
        {"name": "base-files", "versionInfo": "12.4"}]})
    client.attach("shop/web", image,
                  referrer(image, "application/spdx+json", sbom,
                           annotations={"org.opencontainers.image.created": CREATED}),
                  referrer(image, "application/vnd.example.signature.v1", b"signed",
                           "application/octet-stream"))
    return image


def push_set(client, images, prefix="", known=None):
    """Push a set; every blob is sent once and mounted elsewhere."""
    known = {} if known is None else known
    seen = {}
    for repository, tag, manifest in images:
        name = prefix + repository
        if seen.get(name, {}).get(manifest.digest):
            client.put_manifest(name, tag, manifest)
            continue
        client.push(name, manifest, tag, known=known)
        seen.setdefault(name, {})[manifest.digest] = True
    return images


__all__ = ["demo", "demo_attach", "fallback_tag", "one_layer", "push_set", "same", "shared",
           "shared_small", "tiny"]
