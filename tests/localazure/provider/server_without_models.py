"""The local Azure with a data plane that starts nothing; a process of its own: argument HOME."""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

from localazure.server import Server


class NoModels:
    """Accepts every call of the control plane and ignores it."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def deploy(self, spec: object) -> None: ...
    async def scale(self, *deployment: object) -> None: ...
    async def remove(self, *deployment: object) -> None: ...

    def route(self, routing: object) -> None: ...
    def unroute(self, endpoint: str) -> None: ...

    def observe(self, observer: object) -> None: ...

    def running(self) -> list[Any]:
        return []

    def connections(self) -> dict[str, int]:
        return {}

    def routes(self) -> list[Any]:
        return []

    def status(self) -> dict[str, Any]:
        return {}


if __name__ == "__main__":
    models = cast(Any, NoModels())
    server = Server(Path(sys.argv[1]), 0, models, models)
    asyncio.run(server.run(ready=lambda url: print(url, flush=True)))
