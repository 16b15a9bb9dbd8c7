# SPDX-License-Identifier: Apache-2.0
"""A private certificate authority, made with the openssl command.

It can also make what a client must refuse: expired and future certificates,
wrong names, weak keys, and certificates of an authority nobody trusts.
"""

import os
import subprocess
from datetime import datetime, timedelta, timezone

from .proc import need

_CONFIG = """\
[ca]
default_ca = here
[here]
database = {dir}/index.txt
serial = {dir}/serial
new_certs_dir = {dir}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def openssl(*args, data=None):
    """Run openssl; its words are in the error when it fails."""
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout


def _stamp(moment):
    return moment.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """ca is the PEM file to trust; issue() makes certificates under it."""

    def __init__(self, folder, name="Berth test authority"):
        need("openssl")
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        self.ca = os.path.join(folder, "ca.pem")
        self.key = os.path.join(folder, "ca.key")
        self.config = os.path.join(folder, "openssl.cnf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(_CONFIG.format(dir=folder))
        open(os.path.join(folder, "index.txt"), "w", encoding="ascii").close()
        with open(os.path.join(folder, "serial"), "w", encoding="ascii") as file:
            file.write("1000\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-config", self.config, "-extensions", "root", "-subj", f"/CN={name}",
                "-days", "3650", "-keyout", self.key, "-out", self.ca)

    def issue(self, name, hosts=("localhost", "127.0.0.1", "::1"), starts=None, ends=None,
              client=False, rsa_bits=None):
        """Make NAME.pem and NAME.key; starts and ends are datetime, in UTC.

        Returns the two paths (certificate, key).
        """
        cert, key = (os.path.join(self.dir, f"{name}.{kind}") for kind in ("pem", "key"))
        request = os.path.join(self.dir, f"{name}.csr")
        extensions = os.path.join(self.dir, f"{name}.ext")
        now = datetime.now(timezone.utc)
        kind = ["-newkey", f"rsa:{rsa_bits}"] if rsa_bits else \
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", *kind, "-nodes", "-config", self.config, "-subj", f"/CN={name}",
                "-keyout", key, "-out", request)
        names = ",".join(("IP:" if host[0].isdigit() or ":" in host else "DNS:") + host
                         for host in hosts)
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=CA:FALSE\nextendedKeyUsage="
                       f"{'clientAuth' if client else 'serverAuth'}\n")
            if names:
                file.write(f"subjectAltName={names}\n")
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.ca,
                "-keyfile", self.key, "-extfile", extensions, "-in", request, "-out", cert,
                "-startdate", _stamp(starts or now - timedelta(hours=1)),
                "-enddate", _stamp(ends or now + timedelta(days=30)))
        return cert, key

    def issue_expired(self, name, **how):
        now = datetime.now(timezone.utc)
        return self.issue(name, starts=now - timedelta(days=30), ends=now - timedelta(days=1),
                          **how)

    def issue_future(self, name, **how):
        now = datetime.now(timezone.utc)
        return self.issue(name, starts=now + timedelta(days=300), ends=now + timedelta(days=330),
                          **how)
