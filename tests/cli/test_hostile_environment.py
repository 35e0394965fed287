"""No command of `sluice` ends in a traceback, whatever is wrong with its files and its environment.

Every command meets every trouble, in this process and without a network or a child process. A command that the trouble
does not concern may do its work; one that fails says so in one line that begins with `sluice: `, with what to do.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import io
import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import main as command
from tests.cli.azure_that_answers import AzureThatAnswers
from tests.cli.test_no_traceback import REMEDY, STACK_FILE, DeadEngine

pytestmark = pytest.mark.slow

COMMANDS = [
    "local start --home {home}",
    "local stop --home {home}",
    "local status --home {home}",
    "local reset --yes --home {home}",
    "local env --home {home} --stack dev",
    "local logs --home {home}",
    "local fault add unhealthy --home {home}",
    "local fault wait --home {home} 1",
    "local fault release --home {home} 1",
    "local fault list --home {home}",
    "local fault clear --home {home}",
    "invoke fraud --stack dev --request-file request.json",
    "invoke fraud --request-file request.json",
    "deployment-logs fraud blue --stack dev",
    "model check",
    "model check models/shop",
    "release publish shop --stack dev",
    "release publish --all --stack dev",
    "release freeze shop blue",
    "release pin fraud blue --stack dev",
    "release list",
    "release show shop 0123456789abcdef",
    "release diff dev prod",
    "release verify --proofs",
    "release verify --stack dev",
    "promote fraud --from dev --to prod",
    "recover --stack dev --wait-minutes 0",
    "remove --stack dev --yes --wait-minutes 0",
    "preflight --stack dev",
    "doctor",
    "doctor --stack dev",
    "load https://127.0.0.1:1/score --request-file request.json --requests 1",
    "rollout plan fraud --stack dev",
    "rollout power fraud --stack dev",
    "rollout backtest fraud --stack dev --record r.jsonl",
    "rollout start fraud --stack dev",
    "rollout run fraud --stack dev",
    "rollout step fraud --stack dev",
    "rollout status fraud --stack dev",
    "rollout watch fraud --stack dev",
    "rollout history fraud --stack dev",
    "rollout report fraud --stack dev",
    "rollout pause fraud --stack dev --reason x",
    "rollout resume fraud --stack dev",
    "rollout approve fraud --stack dev --reason x",
    "rollout reject fraud --stack dev --reason x",
    "rollout promote fraud --stack dev --reason x",
    "rollout rollback fraud --stack dev --reason x",
    "rollout abort fraud --stack dev --reason x",
    "rollout step --all --stack dev",
    "rollout fleet fleet.yml",
    "ci init github",
    "ci sync --stack dev",
    "ci check",
    "ci preview --stack dev",
    "ci preview --stack dev --local",
    "ci deliver --stack dev",
    "ci deliver --stack dev --for 1m",
    "ci approve fraud --stack dev",
    "ci rollback fraud --stack dev --reason x",
    "ci recover --stack dev",
    "ci drift --stack dev",
    "new team research --location westeurope --environments dev,prod",
    "new endpoint churn --from sklearn",
    "remove team payments --yes --wait-minutes 0",
    "demo",
]
Patch = pytest.MonkeyPatch


def write(relative: str, content: bytes | str) -> Callable[[Path, Patch], None]:
    def trouble(folder: Path, _: Patch) -> None:
        file = folder / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    return trouble


def loop(relative: str) -> Callable[[Path, Patch], None]:
    """A link to itself: no right of the user helps to open it."""

    def trouble(folder: Path, _: Patch) -> None:
        file = folder / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(file)

    return trouble


def directory(relative: str) -> Callable[[Path, Patch], None]:
    def trouble(folder: Path, _: Patch) -> None:
        (folder / relative).unlink(missing_ok=True)
        (folder / relative).mkdir(parents=True)

    return trouble


def variable(name: str, value: str | None) -> Callable[[Path, Patch], None]:
    def trouble(folder: Path, patch: Patch) -> None:
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value.format(folder=folder))

    return trouble


def no_home(_: Path, patch: Patch) -> None:
    def unknown(number: int) -> Any:
        raise KeyError(number)

    patch.delenv("HOME")
    patch.setattr(pwd, "getpwuid", unknown)


def deleted_working_directory(folder: Path, _: Patch) -> None:
    gone = folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def full_disk(_: Path, patch: Patch) -> None:
    def refuse(real: Any) -> Any:
        def open_(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if set(mode) & set("wax+") and file != os.devnull:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            return real(file, mode, *arguments, **named)

        return open_

    def no_folder(path: Any, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    patch.setattr(builtins, "open", refuse(builtins.open))
    patch.setattr(io, "open", refuse(io.open))
    patch.setattr(os, "mkdir", no_folder)


def no_temporary_folder(_: Path, patch: Patch) -> None:
    def none() -> list[str]:
        return []

    patch.setattr(tempfile, "tempdir", None)
    patch.setattr(tempfile, "_candidate_tempdir_list", none)


TROUBLES: dict[str, Callable[[Path, Patch], None]] = {
    "nothing": lambda folder, patch: None,
    "HOME is not set and the user is unknown": no_home,
    "HOME is a file": variable("HOME", "/dev/null"),
    "the working directory is deleted": deleted_working_directory,
    "the disk is full": full_disk,
    "no temporary folder": no_temporary_folder,
    "SSL_CERT_FILE is gone": variable("SSL_CERT_FILE", "{folder}/gone.pem"),
    "SSL_CERT_FILE is a folder": variable("SSL_CERT_FILE", "{folder}"),
    "SSL_CERT_FILE is no certificate": variable("SSL_CERT_FILE", "{folder}/request.json"),
    "REQUESTS_CA_BUNDLE is gone": variable("REQUESTS_CA_BUNDLE", "{folder}/gone.pem"),
    "the cloud's address is none": variable("ARM_CLOUD_METADATA_URL", "not an address"),
    "the cloud's address is a file": variable("ARM_CLOUD_METADATA_URL", "file:///etc/hostname"),
    "the cloud's address is ftp": variable("ARM_CLOUD_METADATA_URL", "ftp://127.0.0.1:1/x"),
    "the cloud's address has a line end": variable("ARM_CLOUD_METADATA_URL", "https://arm.test/\nx"),
    "the cloud's port is a word": variable("ARM_CLOUD_METADATA_URL", "https://arm.test:port/x"),
    "no subscription": variable("ARM_SUBSCRIPTION_ID", None),
    "PATH is empty": variable("PATH", ""),
    "the backend is a folder that is a file": variable("PULUMI_BACKEND_URL", "file://{folder}/request.json"),
    "the backend is odd": variable("PULUMI_BACKEND_URL", "file://~nobody-of-that-name/x"),
    "the local home is a file": variable("SLUICE_LOCAL_HOME", "{folder}/request.json"),
    "the key of the endpoint has a line end": variable("SLUICE_ENDPOINT_KEY", "a\nb"),
    "the request is missing": lambda folder, patch: (folder / "request.json").unlink(),
    "the request is a folder": directory("request.json"),
    "the request is a loop": loop("request.json"),
    "the request is empty": write("request.json", b""),
    "the request is no UTF-8": write("request.json", b'{"a": "\xfc"}'),
    "the request nests too deep": write("request.json", b"[" * 100_000),
    "the stack file is missing": lambda folder, patch: (folder / "Pulumi.dev.yaml").unlink(),
    "the stack file is a folder": directory("Pulumi.dev.yaml"),
    "the stack file is a loop": loop("Pulumi.dev.yaml"),
    "the stack file is empty": write("Pulumi.dev.yaml", b""),
    "the stack file is no UTF-8": write("Pulumi.dev.yaml", b"# Z\xfcrich\n" + STACK_FILE.encode()),
    "the stack file is a list": write("Pulumi.dev.yaml", "- a\n"),
    "the stack file is text": write("Pulumi.dev.yaml", "text\n"),
    "the stack file has a tab": write("Pulumi.dev.yaml", "config:\n\tsluice:team: x\n"),
    "the config is a list": write("Pulumi.dev.yaml", "config: [a]\n"),
    "the config is a number": write("Pulumi.dev.yaml", "config: 3\n"),
    "keys of the config are numbers": write("Pulumi.dev.yaml", "config: {3: x, sluice:team: 4}\n"),
    "values of the config are odd": write(
        "Pulumi.dev.yaml", "config: {sluice:team: [], sluice:endpoints: 3, sluice:rollout: x, sluice:limits: []}\n"
    ),
    "names of endpoints are odd": write(
        "Pulumi.dev.yaml", f"{STACK_FILE.partition('  sluice:endpoints')[0]}  sluice:endpoints: {{3: , '../x': {{}}}}\n"
    ),
    "the stack file nests too deep": write("Pulumi.dev.yaml", "config: " + "[" * 2_000),
    "the stack file repeats itself": write("Pulumi.dev.yaml", "a: &a [x]\nconfig: &b {sluice:team: *b}\n"),
    "the project file is no UTF-8": write("Pulumi.yaml", b"name: sl\xfcice\n"),
    "the project file has no name": write("Pulumi.yaml", "runtime: python\n"),
    "the project file is a list": write("Pulumi.yaml", "- name: x\n"),
    "the model's endpoint is no UTF-8": write("models/shop/endpoint.yml", b"name: \xfc\n"),
    "the model's endpoint is a list": write("models/shop/endpoint.yml", "- a\n"),
    "the model's endpoint is a loop": loop("models/shop/endpoint.yml"),
    "the model's deployment is text": write("models/shop/blue.yml", "text"),
    "the model's lock is garbage": write("models/shop/release.lock.yml", b"\xff{"),
    "a model is a file": write("models/other", "x"),
    "the home is a file": write("home", "x"),
    "the home is a loop": loop("home"),
    "the home is a folder of other files": write("home/thesis.txt", "x"),
    "the home's mark is no UTF-8": write("home/README.txt", b"\xff"),
    "the home's mark is a folder": directory("home/README.txt"),
    "the home's record is garbage": write("home/server.json", b"\xff{"),
    "the home's record is a list": write("home/server.json", "[]"),
    "the home's record has odd values": write("home/server.json", '{"pid": "x", "https": 3}'),
    "the home's record nests too deep": write("home/server.json", "[" * 100_000),
    "the home's lock is a folder": directory("home/lock"),
    "the home's lock is a loop": loop("home/lock"),
    "the home's port is garbage": write("home/port", b"\xff"),
    "the home's logs are a file": write("home/logs", "x"),
    "the home's log is a folder": directory("home/logs/server.log"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a stack and a model of references alone; nothing outside of it, no network, no child process."""
    (tmp_path / "Pulumi.yaml").write_text("name: sluice\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK_FILE.replace("fraud:", "shop: {deployments: {}}, fraud:"))
    (tmp_path / "request.json").write_text("[1]")
    (tmp_path / "models" / "shop").mkdir(parents=True)
    (tmp_path / "models" / "shop" / "endpoint.yml").write_text("name: shop\nauth_mode: key\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith(("PULUMI_", "SLUICE_", "XDG_")):
            monkeypatch.delenv(name)

    def no_process(*arguments: Any, **named: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "pulumi")

    def no_connection(*arguments: Any, **named: Any) -> Any:
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def engine(options: argparse.Namespace) -> DeadEngine:
        return DeadEngine(tmp_path)

    monkeypatch.setattr(subprocess, "Popen", no_process)
    monkeypatch.setattr(socket.socket, "connect", no_connection)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr("cli.recover.engine_for", engine)
    monkeypatch.setattr("cli.remove.engine_for", engine)
    return tmp_path


def faults_of(words: str, code: int, out: str, err: str) -> list[str]:
    faults = []
    if "Traceback" in err or "a defect of sluice" in err:
        faults.append("a defect")
    if code not in range(5):
        faults.append(f"exit code {code}")
    told_on_output = words.startswith(("doctor", "model check", "local status", "load"))
    if code and not told_on_output:
        begun = [number for number, line in enumerate(err.splitlines()) if line.startswith("sluice: ")]
        if not begun:
            faults.append("no line that begins with `sluice: `")
        elif not REMEDY.search("\n".join(err.splitlines()[begun[-1] :])):
            faults.append("no remedy")
    if code and not (out + err).strip():
        faults.append("nothing is said")
    return faults


@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_command_survives_it(
    trouble: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    AzureThatAnswers(monkeypatch)
    found = []
    (folder / "home").mkdir()
    if "home" in trouble and (folder / "home").is_dir():
        (folder / "home").rmdir()
    TROUBLES[trouble](folder, monkeypatch)
    for words in COMMANDS:
        with pytest.MonkeyPatch.context() as during:
            during.setattr(tempfile, "mkdtemp", lambda **_: str(folder / "demo")) if words == "demo" else None
            code = command.main([word.format(home=folder / "home") for word in words.split()])
        out, err = capsys.readouterr()
        found += [f"{fault}: {words}: exit {code}\n    {err[-400:]}" for fault in faults_of(words, code, out, err)]
    monkeypatch.undo()
    assert not found, f"{len(found)} faults:\n" + "\n".join(found)


def test_every_command_is_tried() -> None:
    """A command that is added has to be added to the table above."""
    tried = {tuple(words.replace(" --home {home}", "").split()) for words in COMMANDS}

    def leaves(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not groups:
            return [path]
        return [leaf for name, child in groups[0].choices.items() for leaf in leaves(child, (*path, name))]

    for name in command.COMMANDS:
        for leaf in leaves(command._parser([name]), ()):
            if leaf[0] == name:
                assert any(words[: len(leaf)] == leaf for words in tried), f"sluice {' '.join(leaf)} is not tried"


@pytest.mark.parametrize("answer", [b"", b"text", b"[]", b"{}", b"3", b'{"value": 3}', b'{"scoring": []}', b"\xff"])
@pytest.mark.parametrize("words", ["local status", "local fault list", "local fault clear", "local fault add slow"])
def test_a_local_azure_that_answers_oddly_is_one_line(
    words: str, answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rehearsal.home import LocalHome, Server

    class Opener:
        def open(self, request: Any, timeout: float) -> Any:
            return io.BytesIO(answer)

    server = Server(pid=1, https="https://127.0.0.1:2", http="http://127.0.0.1:3", version="0", started=0.0)
    monkeypatch.setattr(LocalHome, "server", lambda self: server)
    monkeypatch.setattr("urllib.request.build_opener", lambda *_: Opener())
    (tmp_path / "control.token").write_text("t")
    code = command.main([*words.split(), "--home", str(tmp_path)])
    _, err = capsys.readouterr()
    assert code == 4, err
    (line,) = err.splitlines()
    assert line.startswith("sluice: ")
    assert REMEDY.search(line)
