"""Whatever happens to the disk, what the store gives is exactly what was put, and it stays in its bound."""

from __future__ import annotations

import errno
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nearcast.cache.account import Account
from nearcast.cache.entry import ObjectHead
from nearcast.cache.freshness import Freshness
from nearcast.cache.object_file import TAIL_BYTES
from nearcast.cache.object_writer import ObjectWriter
from nearcast.cache.policies.registry import POLICIES, policy_named
from nearcast.cache.store import Store
from nearcast.simulate.world.disk import VirtualDisk

BYTES_MAX = 8_000
NAMES = ["movie/a", "movie/b", "movie/c", "movie/d"]
KEYS = st.sampled_from(NAMES)
FAILING = ["write", "create", "map", "read", "rename", "remove", "sync", "sync_directory", "*"]
BODIES = st.binary(max_size=1500) | st.integers(0, 5000).map(lambda size: b"z" * size)


class StoreMachine(RuleBasedStateMachine):
    """Objects come, are read, evicted and purged; the disk fails, fills up, rots and loses power."""

    @initialize(
        sync=st.booleans(),
        seed=st.integers(0, 2**32),
        block_bytes=st.sampled_from([1, 512]),
        policy=st.sampled_from(sorted(POLICIES)),
    )
    def begin(self, sync: bool, seed: int, block_bytes: int, policy: str) -> None:
        self.disk = VirtualDisk(dice=random.Random(seed))
        self.disk.block_bytes = block_bytes
        self.sync = sync
        self.policy = policy
        self.count = 0
        self.possible: dict[str, set[tuple[int, bytes]]] = {}  # what a key may give: (number, body)
        self.certain: dict[str, tuple[int, bytes]] = {}  # what it gives unless it is evicted
        self.writings: list[tuple[ObjectWriter, int, bytes, bytes]] = []
        self.faulty = False
        self.full: list[int] = []
        self.start()

    def start(self) -> None:
        self.store = Store(
            self.disk,
            BYTES_MAX,
            policy=policy_named(self.policy),
            sync=self.sync,
            small_bytes_max=1000,
            held_bytes_max=1500,
            mapped_max=2,
        )
        self.store.open()

    def head(self, key: str) -> tuple[int, ObjectHead]:
        self.count += 1
        fields = {"etag": f'"{self.count}"'}
        return self.count, ObjectHead(key, 200, fields, float(self.count), Freshness(60.0, 0.0, 0.0, 0.0))

    @rule(key=KEYS, body=BODIES, announced=st.booleans())
    def open_writing(self, key: str, body: bytes, announced: bool) -> None:
        number, head = self.head(key)
        writer = self.store.begin(head, len(body) if announced else None)
        if writer is not None:
            self.writings.append((writer, number, body, body))

    @rule(key=KEYS, body=BODIES)
    def put(self, key: str, body: bytes) -> None:
        before = len(self.writings)
        self.open_writing(key, body, announced=True)
        if len(self.writings) > before:
            self.complete(before)

    @precondition(lambda self: self.writings)
    @rule(pick=st.integers(0, 9), size=st.integers(1, 3000))
    def write(self, pick: int, size: int) -> None:
        pick %= len(self.writings)
        writer, number, body, rest = self.writings[pick]
        if rest and not writer.write(rest[:size]):
            del self.writings[pick]
            return
        self.writings[pick] = (writer, number, body, rest[size:])
        try:
            written = bytes(writer.written(0))
        except OSError:
            assert self.faulty
        else:
            assert written == body[: len(body) - len(rest[size:])]

    @precondition(lambda self: self.writings)
    @rule(pick=st.integers(0, 9))
    def complete(self, pick: int) -> None:
        writer, number, body, rest = self.writings.pop(pick % len(self.writings))
        if rest and not writer.write(rest):
            return
        key = writer.head.key
        # What fails late in a commit may still have replaced the file that a crash leaves.
        self.possible.setdefault(key, set()).add((number, body))
        entry = writer.commit()
        if entry is None:
            assert self.faulty
            self.certain.pop(key, None)
            return
        assert bytes(entry.body.octets) == body
        self.possible[key] = self.possible[key] if self.store.account.unsynced else {(number, body)}
        self.certain[key] = (number, body)

    @precondition(lambda self: self.writings)
    @rule(pick=st.integers(0, 9))
    def discard(self, pick: int) -> None:
        self.writings.pop(pick % len(self.writings))[0].discard()

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        entry = self.store.get(key)
        if entry is not None:
            found = (int(str(entry.head.etag).strip('"')), bytes(entry.body.octets))
            assert found == self.certain.get(key, found)
            assert found in self.possible.get(key, set())
        elif key in self.certain:
            assert self.faulty or self.store.evicted_total

    @rule(key=KEYS)
    def purge(self, key: str) -> None:
        try:
            self.store.purge([key])
        except OSError:
            assert self.faulty
        else:
            self.possible.pop(key, None)
        self.certain.pop(key, None)
        assert self.store.get(key) is None

    @rule()
    def purge_all(self) -> None:
        try:
            self.store.purge_all()
        except OSError:
            assert self.faulty
        else:
            self.possible.clear()
        self.certain.clear()
        assert len(self.store) == 0

    @rule()
    def restart(self) -> None:
        """The process dies; the machine goes on."""
        if not self.faulty:
            self.writings.clear()
            held = len(self.store)
            self.certain = {key: was for key, was in self.certain.items() if self.store.head(key)}
            self.start()
            assert len(self.store) == held

    @rule(rot=st.booleans())
    def crash(self, rot: bool) -> None:
        self.heal()
        self.disk.crash()
        if rot:
            self.disk.rot()
        self.writings.clear()
        evicted = self.store.evicted_total
        self.start()
        if not self.sync or rot or self.faulty or evicted:
            self.certain.clear()
        self.faulty = False
        for key in NAMES:
            self.get(key)

    @rule(operation=st.sampled_from(FAILING))
    def fail(self, operation: str) -> None:
        self.faulty = True
        self.disk.fail(operation, errno.EIO)

    @rule(free=st.integers(0, 2000))
    def fill_up(self, free: int) -> None:
        self.faulty = True
        self.full.append(self.disk.fill(free))

    @rule()
    def heal(self) -> None:
        for operation in FAILING:
            self.disk.heal(operation)
        while self.full:
            self.disk.unfill(self.full.pop())

    @invariant()
    def stays_in_its_bound(self) -> None:
        if hasattr(self, "store"):
            assert self.store.bytes_stored <= BYTES_MAX

    @invariant()
    def the_account_is_what_the_disk_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        held = on_disk(self.disk, [writer for writer, *_ in self.writings])
        if self.faulty:  # what failed counts as if it had not
            assert held <= self.store.bytes_stored
        else:
            assert held == self.store.bytes_stored


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def on_disk(disk: VirtualDisk, writers: list[ObjectWriter]) -> int:
    """Bytes of all files as the disk allots them, and of each being written the tail reserved for it."""
    reserved = {writer._path: TAIL_BYTES for writer in writers if writer.open}
    sizes = [len(content) + reserved.get(path, 0) for path, content in disk._live.items()]
    return sum(-(-size // disk.block_bytes) * disk.block_bytes for size in sizes)


STEPS = [*["begin", "write", "commit"] * 3, *["discard", "get", "purge", "resize"]]


def churn(seed: int, policy: str) -> None:
    """A crowded store in which everything happens often; every step holds the account against the disk."""
    dice = random.Random(seed)
    disk = VirtualDisk(dice=dice)
    disk.block_bytes = dice.choice([1, 512])
    bounds = {"small_bytes_max": 1000, "held_bytes_max": 3000, "mapped_max": 2}
    store = Store(disk, BYTES_MAX, policy=policy_named(policy), **bounds)
    store.open()
    writers: list[ObjectWriter] = []

    def settled() -> None:
        assert store.bytes_stored == on_disk(disk, writers)
        assert store.bytes_stored <= BYTES_MAX

    for step in range(800):
        key = f"movie/{dice.randrange(12)}"
        match dice.choice(STEPS):
            case "begin" if len(writers) < 4:
                head = ObjectHead(key, 200, {}, float(step), Freshness(60.0, 0.0, 0.0, 0.0))
                writer = store.begin(head, dice.choice([None, 100, 3000]))
                if writer is not None:
                    writers.append(writer)
            case "write" if writers:
                dice.choice(writers).write(bytes(dice.randrange(1, 2500)))
            case "commit" if writers:
                writers.pop(dice.randrange(len(writers))).commit()
            case "discard" if writers:
                writers.pop(dice.randrange(len(writers))).discard()
            case "get":
                store.get(key)
            case "purge":
                store.purge([key])
            case "resize":
                store.resize(dice.randrange(BYTES_MAX // 2, BYTES_MAX))
        settled()
    while writers:
        writers.pop().discard()
        settled()
    assert store.evicted_total > 10
    store.resize(0)
    assert (store.bytes_stored, len(store), disk.bytes_used) == (0, 0, 0)


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("seed", range(10))
def test_after_every_step_the_account_is_the_sum_of_what_is_on_the_disk(seed: int, policy: str) -> None:
    churn(seed, policy)


@pytest.mark.parametrize("leak", ["eviction", "renaming", "removal"])
def test_an_account_that_leaks_a_little_is_found_out(leak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the play above is for: one octet for every eviction would pass for years."""
    evict_one, rename, release = Store._evict_one, Account.rename, Account._release

    def evict_and_leak(self: Store) -> bool:
        evicted = evict_one(self)
        self.account._bytes += evicted
        return evicted

    def rename_and_leak(self: Account, old: str, new: str) -> None:
        rename(self, old, new)
        self._bytes -= 1

    def release_and_leak(self: Account, path: str) -> int:
        size = release(self, path)
        self._bytes += size > 0
        return size

    match leak:
        case "eviction":
            monkeypatch.setattr(Store, "_evict_one", evict_and_leak)
        case "renaming":
            monkeypatch.setattr(Account, "rename", rename_and_leak)
        case "removal":
            monkeypatch.setattr(Account, "_release", release_and_leak)
    for seed in range(10):
        with pytest.raises(AssertionError):
            churn(seed, "lru")
