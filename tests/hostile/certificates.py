# SPDX-License-Identifier: Apache-2.0
"""The certificates of the hostile cases, each made when it is first asked for."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from berthtest.tls import Authority, openssl  # noqa: E402


class Certificates:
    """Call it with a kind (good, expired, future, wrong-name, stranger,
    self-signed, weak, old); it returns the paths of a certificate and its key.
    ca is the authority that a client is told to trust."""

    def __init__(self, folder):
        self.dir = folder
        self.authority = Authority(os.path.join(folder, "trusted"))
        self.ca = self.authority.ca
        self._made = {}
        self._lock = threading.Lock()

    def __call__(self, kind):
        with self._lock:
            if kind not in self._made:
                self._made[kind] = self._make(kind)
            return self._made[kind]

    def _make(self, kind):
        authority = self.authority
        if kind == "expired":
            return authority.issue_expired(kind)
        if kind == "future":
            return authority.issue_future(kind)
        if kind == "wrong-name":
            return authority.issue(kind, hosts=("registry.example",))
        if kind == "stranger":
            return Authority(os.path.join(self.dir, "stranger"), "A stranger").issue(kind)
        if kind == "self-signed":
            return self._self_signed()
        if kind == "weak":
            return authority.issue(kind, rsa_bits=1024)
        return authority.issue(kind)

    def _self_signed(self):
        cert, key = (os.path.join(self.dir, "self." + end) for end in ("pem", "key"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=self", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30",
                "-keyout", key, "-out", cert)
        return cert, key
