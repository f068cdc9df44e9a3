"""`python -m tests.fuzz --seconds 60`: look for inputs that a codec does not take as it says it does.

What is found is told, and added to the corpus. Exit status 1 when something was found.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.fuzz.codecs import BY_NAME, CODECS
from tests.fuzz.corpus import encoded, keep
from tests.fuzz.run import fuzz


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--seconds", type=float, default=60.0, help="how long to look (default: 60)")
    options.add_argument(
        "--seed", type=int, default=None, help="which way to look (default: another each time)"
    )
    options.add_argument(
        "--codec", action="append", choices=sorted(BY_NAME), help="only this one; repeatable"
    )
    given = options.parse_args()
    seed = time.time_ns() if given.seed is None else given.seed
    until = time.monotonic() + given.seconds
    fed = 0

    def go_on(count: int) -> bool:
        nonlocal fed
        fed = count
        return time.monotonic() < until

    told: set[tuple[str, str]] = set()
    chosen = tuple(BY_NAME[name] for name in given.codec) if given.codec else CODECS
    for find in fuzz(seed, go_on, chosen):
        frames = traceback.extract_tb(find.fault.__traceback__)
        kind = find.codec, f"{type(find.fault).__name__} at {frames[-1].filename}:{frames[-1].lineno}"
        if kind not in told:  # the same fault by another input is no news
            told.add(kind)
            keep(find.codec, find.octets)
            print(f"{find.codec}: {encoded(find.octets)}")
            print("".join(traceback.format_exception(find.fault)))
    print(f"{fed} inputs, {len(told)} finds (seed {seed})")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
