"""The file with an ID token from which the engine and its plugins log in, replaced before the token ends.

azidentity and azure-identity keep a token that they have read for 10 minutes, longer than GitHub's lives, but read the
file again in every new process (read in azidentity 1.14). A process that runs for less than an hour logs in once per
service at its start, when the file is at most `RENEW_SECONDS` old.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from command_errors import CommandError
from credentials.id_tokens import IdTokens

RENEW_SECONDS = 240.0
"""GitHub's ID tokens live 300 seconds."""
RETRY_SECONDS = 15.0
Wait = Callable[[float], bool]
"""Waits so many seconds, or less if the end has come, and returns whether it has."""


class TokenFile:
    """One file, readable by its owner only; it is replaced in one step, so that no reader sees a part of a token."""

    def __init__(self, path: Path, id_tokens: IdTokens) -> None:
        self.path = path
        self._id_tokens = id_tokens

    def renew(self) -> None:
        """Write a new token. Raises UnavailableError without one; then the file keeps the last token."""
        token = self._id_tokens.fetch()
        draft = self.path.with_name(f"{self.path.name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
        os.replace(draft, self.path)

    def keep_fresh(self, wait: Wait) -> None:
        """Renew until the end; a failure is told once and tried again every `RETRY_SECONDS`."""
        seconds, told = RENEW_SECONDS, False
        while not wait(seconds):
            try:
                self.renew()
                seconds, told = RENEW_SECONDS, False
            except (CommandError, OSError) as error:
                seconds = RETRY_SECONDS
                if not told:
                    logging.getLogger(__name__).warning("sluice: the login of the engine was not renewed: %s", error)
                    told = True


@contextmanager
def fresh_token_file(id_tokens: IdTokens) -> Iterator[Path]:
    """Keep a token file fresh in the background and remove it at the end. Raises UnavailableError without a token."""
    ended = threading.Event()
    with tempfile.TemporaryDirectory(prefix="sluice-login-") as folder:
        file = TokenFile(Path(folder) / "id-token", id_tokens)
        file.renew()
        thread = threading.Thread(target=file.keep_fresh, args=(ended.wait,), name="sluice-login", daemon=True)
        thread.start()
        try:
            yield file.path
        finally:
            ended.set()
            thread.join()
