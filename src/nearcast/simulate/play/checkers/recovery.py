"""When all faults are over: everything must be as if there had been none."""

from __future__ import annotations

from nearcast.simulate.play.checkers.checker import Checker
from nearcast.simulate.play.observations import Account, Watched
from nearcast.simulate.play.overheard.dns_ear import Told
from nearcast.simulate.play.overheard.transfer import BROKEN_OFF, Transfer
from nearcast.simulate.play.stage import Stage

OBJECTS = "objects/"


class Recovers(Checker):
    """Viewers who come once more must all finish, without one failed answer, and every server that was ever
    named must be named again to somebody."""

    sentence = "When the faults are over, everything works as before."

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._calm = False
        self._named: set[str] = set()
        self._named_again: set[str] = set()

    def calmed(self) -> None:
        self._calm = True

    def told(self, told: Told) -> None:
        if self.stage.kind(told.by) == "router" and told.reply.name.rstrip(".") in self.stage.intent.names:
            (self._named_again if self._calm else self._named).update(told.reply.addresses)

    def transferred(self, transfer: Transfer) -> None:
        if not self._calm or self.stage.kind(transfer.client) != "viewer":
            return
        if transfer.status >= 500 or transfer.outcome == BROKEN_OFF:
            self.broke(
                f"{transfer.server} gave {transfer.client} {transfer.status or 'nothing'} for "
                f"{transfer.target} ({transfer.outcome})."
            )

    def watched(self, watched: Watched) -> None:
        if watched.late and (watched.viewing is None or not watched.viewing.complete):
            problem = "it did not come to an end" if watched.viewing is None else watched.viewing.problem
            self.broke(f"{watched.viewer.name} could not watch: {problem}.")

    def ended(self, everybody_left: bool) -> None:
        if not self._calm:
            return
        servers = self.stage.intent.servers.values()
        racks = {
            (each.pop, each.failure_domain)
            for each in servers
            if not self._named_again.isdisjoint(each.addresses)
        }
        for server in servers:  # of a rack, one may do for all names; its neighbour was named in its place
            missed = not self._named.isdisjoint(server.addresses)
            if missed and (server.pop, server.failure_domain) not in racks:
                self.broke(f"{server.name} is named to nobody any more.")


class AccountsRight(Checker):
    """What a content server says that it holds must be what its disk holds, to the byte. What it could not
    remove while its disk failed stays on the account."""

    sentence = "A store's account is what its disk holds."

    def reported(self, account: Account) -> None:
        host = self.stage.host(account.server)
        sizes = host.disk.sizes()
        files = sum(path.startswith(OBJECTS) for path in sizes)
        block = host.disk.block_bytes
        total = sum(-(-size // block) * block for size in sizes.values())
        failed = any(
            fault.disk and getattr(fault, "host", "") == account.server for fault in self.stage.faults
        )
        if account.bytes < total or (account.bytes > total and not failed):
            self.broke(f"{account.server} accounts for {account.bytes} bytes; {total} are on its disk.")
        if account.objects > files or (account.objects < files and not failed):
            self.broke(f"{account.server} knows {account.objects} objects; {files} are on its disk.")
