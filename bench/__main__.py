"""Run benchmarks: `python -m bench [NAME …]`, all without a name. Each is a script of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    """Run them one after the other (they measure CPU, so never at once); 1 when one failed."""
    known = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    if unknown := set(names) - set(known):
        print(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return 2
    failed = 0
    for name in names or known:
        print(f"== {name}", flush=True)
        failed |= subprocess.run([sys.executable, HERE / f"{name}.py"]).returncode != 0
    return failed


sys.exit(main(sys.argv[1:]))
