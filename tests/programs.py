"""Other people's programs, run beside the programs of an internet that live on the test's own loop."""

from __future__ import annotations

import asyncio

PATIENCE_SECONDS = 60


async def run(*command: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


async def printed(*command: object) -> str:
    """What a command prints; it must succeed and have nothing to complain about."""
    status, out, err = await run(*command)
    assert (status, err) == (0, ""), f"{' '.join(map(str, command))}\nended with {status}\n{out}\n{err}"
    return out
