"""Where the built pages are: the player page, the status page and the libraries they load.

The build hook (`web/build_hook.py`) puts them into the package:

    player/watch.html     the player page, for `/watch/<title>`; an origin serves it and
    player/…              what it loads, for `/player/…`
    status/…              the status page and the API's documentation, for the control program
"""

from __future__ import annotations

from pathlib import Path

import nearcast
from nearcast.model.faults import OperatorFault


def pages_directory() -> Path:
    """The folder of the pages; raises OperatorFault when the package was installed without them."""
    folder = Path(nearcast.__file__).parent / "web"
    if not (folder / "player" / "watch.html").is_file():
        raise OperatorFault(
            "the pages are missing from this installation; build them with `pip install .` (or "
            "`python web/build_hook.py` in a working tree)"
        )
    return folder
