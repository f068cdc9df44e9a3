"""unbound as the viewers' local resolver, in place of ours, in front of the same name servers.

Name servers of the lab do not listen on port 53, which a referral cannot say. So every zone is a stub
zone with address and port; unbound still recurses in that it follows the CNAME from zone to zone, sends
the client's subnet to the router (and to nobody else), and keeps answers by the scope that comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.zones import zones_by_server

from nearcast.lab.config import Internet
from nearcast.wire.dns.names import name_text

READY_SECONDS_MAX = 10.0


def unbound_conf(internet: Internet, folder: Path) -> str:
    """What unbound needs to know to resolve the names of `internet` on the resolver's address."""
    config, lab = internet.config, internet.lab
    port = lab.dns_port
    stubs = [
        f'stub-zone:\n  name: "{name_text(zone.origin)}"\n  stub-addr: {address}@{port}\n  stub-prime: no\n'
        for address, zones in zones_by_server(internet).items()
        for zone in zones
    ]
    tops = {config.cdn.zone, *(provider.zone for provider in lab.providers)}
    local = "".join(f'  local-zone: "{zone.rpartition(".")[2]}." nodefault\n' for zone in sorted(tops))
    return f"""
server:
  interface: {lab.resolver}
  outgoing-interface: {lab.resolver}
  port: {port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "subnetcache validator iterator"
  send-client-subnet: {config.routers[0].addresses[0]}
  client-subnet-always-forward: yes
  num-threads: 1
  do-daemonize: no
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
{local}
remote-control:
  control-enable: no
{"".join(stubs)}"""


@asynccontextmanager
async def running_unbound(internet: Internet, folder: Path) -> AsyncIterator[None]:
    """unbound on the resolver's address and port of `internet`, ready to be asked."""
    path = folder / "unbound.conf"
    path.write_text(unbound_conf(internet, folder))
    process = await asyncio.create_subprocess_exec(
        "unbound", "-d", "-c", str(path), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said: list[str] = []
    drained: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            while line := (await process.stderr.readline()).decode():
                said.append(line)
                if "start of service" in line:
                    break
            else:
                raise AssertionError("unbound did not start: " + "".join(said))
        drained = asyncio.create_task(process.stderr.read())
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if drained is not None:
            await drained
