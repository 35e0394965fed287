"""Runs one command so that it cannot outlive the local Azure unnoticed. It runs as a script and is never imported.

    python -I -S launcher.py PARENT_PID PID_FILE COMMAND...

It first writes the pid file (pid, start time), asks Linux for a signal when the parent dies, and then becomes the
command. So a pid file names every running process at any moment.
"""

import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _end_with_parent(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    # The parent of the local Azure may ignore this signal, and the command would inherit that setting.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the request took effect
        sys.exit(1)


def _started_at() -> str:
    try:
        with open("/proc/self/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return os.popen(f"ps -o lstart= -p {os.getpid()}").read().strip()


def main() -> None:
    parent, pid_file, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    entry = {"pid": os.getpid(), "started": _started_at(), "marker": os.environ.get("SLUICE_INSTANCE", "")}
    temporary = f"{pid_file}.{os.getpid()}"
    with open(temporary, "w") as file:
        json.dump(entry, file)
    os.replace(temporary, pid_file)
    _end_with_parent(parent)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
