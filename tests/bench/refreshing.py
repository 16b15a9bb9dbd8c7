# SPDX-License-Identifier: Apache-2.0
"""The index of a registry with a million tags, which is made up: read whole, then in
parts after tags have changed. The daemon is asked something all the while.
"""

import asyncio
import bisect
import json
import os
import re
import threading
import time
from urllib.parse import unquote

from berthtest import Daemon, free_port
from huge import private_kib

REPOSITORIES, TAGS = 20000, 50
CONFIG = ("integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
          "net: { pages_max = 100000; items_max = 2000000; };\n")


class Lists:
    """Answers a catalog and lists of tags."""

    scheme = "http"

    def __init__(self):
        self.port = free_port()
        self.names = sorted(f"space{n % 200}/team/app-{n}" for n in range(REPOSITORIES))
        self.tags = [f"v1.{n}.0" for n in range(TAGS)]
        self.more = {}  # of a repository: tags that came later
        self.ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self.ready.wait(60)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self):
        server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.ready.set()
        async with server:
            await server.serve_forever()

    def _catalog(self, path):
        last = re.search(r"last=([^&]+)", path)
        count = int((re.search(r"\bn=(\d+)", path) or (0, "100"))[1])
        at = bisect.bisect_right(self.names, unquote(last[1])) if last else 0
        page = self.names[at:at + count]
        link = f'Link: </v2/_catalog?last={page[-1]}&n={count}>; rel="next"\r\n'
        return {"repositories": page}, link if at + count < len(self.names) else ""

    async def _talk(self, reader, writer):
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
                body, link = {}, ""
                if path.startswith("/v2/_catalog"):
                    body, link = self._catalog(path)
                elif "/tags/list" in path:
                    name = path[4:path.index("/tags/list")]
                    body = {"name": name, "tags": self.tags + self.more.get(name, [])}
                data = json.dumps(body).encode()
                writer.write((f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{link}"
                              f"Content-Length: {len(data)}\r\n\r\n").encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Asking(threading.Thread):
    """Asks whether berthd lives, and keeps the worst time; the jobs' memory, too."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_, self.over = daemon, threading.Event()
        self.worst_ms = self.job_kib = 0

    def run(self):
        while not self.over.is_set():
            begin = time.monotonic()
            self.daemon_.api.get("/v1/livez")
            self.worst_ms = max(self.worst_ms, (time.monotonic() - begin) * 1000)
            for pid in self.daemon_.children():
                try:
                    self.job_kib = max(self.job_kib, private_kib(pid))
                except OSError:
                    pass  # it has ended
            time.sleep(0.005)


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) * 10


def look(daemon, what, part):
    asking = Asking(daemon)
    asking.start()
    cpu, begin = cpu_ms(daemon.process.pid), time.monotonic()
    done = daemon.api.wait(daemon.api.post("/v1/integrations/hub/refresh", part)["id"])
    seconds = time.monotonic() - begin
    asking.over.set()
    asking.join()
    return {"look": what, "state": done["state"], "tags read": done["result"]["tags"],
            "ms": round(seconds * 1000), "berthd's CPU ms": cpu_ms(daemon.process.pid) - cpu,
            "worst livez ms": f"{asking.worst_ms:.1f}",
            "job MiB": f"{asking.job_kib / 1024:.1f}",
            "berthd MiB": f"{private_kib(daemon.process.pid) / 1024:.1f}"}


def measure(folder):
    lists = Lists()
    one, many = lists.names[5], lists.names[100:200]
    with Daemon(folder, config=CONFIG) as daemon:
        daemon.add("hub", lists)
        rows = [look(daemon, "all, again", {})]
        rows[0]["database MB"] = round(sum(
            os.path.getsize(os.path.join(daemon.state, name))
            for name in os.listdir(daemon.state) if name.startswith("berth.db")) / 1e6)
        lists.more[one] = [f"a{n}" for n in range(1000)]
        rows.append(look(daemon, "1 000 new tags of one repository", {"repositories": [one]}))
        lists.more.update((name, [f"b{n}" for n in range(10)]) for name in many)
        rows.append(look(daemon, "10 new tags of each of 100", {"repositories": many}))
        rows.append(look(daemon, "one with nothing new", {"repositories": lists.names[7:8]}))
        assert daemon.api.get("/v1/images?q=b7&limit=1")["total"] == len(many)
        return rows
