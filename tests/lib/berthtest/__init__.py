# SPDX-License-Identifier: Apache-2.0
"""Fixtures for Berth's tests: real registries, images, slow links, a daemon.

Nothing but Python's standard library is used, and whatever a test starts is
a process of its own on a free loopback port, ended by its id.

    proc      free ports, processes with a log file, what is skipped and why
    tls       a private certificate authority made with the openssl command
    tokens    a token server for registries with Bearer authentication
    registry  docker-registry 2.8 (Registry) and distribution 3 (Registry3)
    kube      a real Kubernetes API server (Kube), built once
    images    images made from a seed, and a client that pushes and reads them
    sets      the image sets that tests and benchmarks copy
    bounded   a front that answers 429 to more than so many requests at once
    link      a delaying, limiting, cutting, counting TCP link
    daemon    a private berthd, its HTTP API, and berthctl
    worker    a worker alone, and jobs on its socket
"""

import os

from .daemon import Api, ApiError, Daemon
from .images import Client, Image, Index, digest_of
from .link import Link
from .proc import Process, free_port, need, workdir
from .registry import Registry, Registry3
from .tls import Authority
from .tokens import TokenServer

__all__ = [
    "Api", "ApiError", "Authority", "Client", "Daemon", "Image", "Index", "Link", "Process",
    "Registry", "Registry3", "TokenServer", "digest_of", "free_port", "need", "workdir",
]

# berthd reads no configuration and loads no plugin that others may write to:
# what tests make must not depend on the umask of who runs them.
os.umask(0o022)
