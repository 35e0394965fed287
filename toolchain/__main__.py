"""`python3 -m toolchain setup|path|actionlint|lock`: set-up on a bare Python; see `make help` for what calls it."""

from __future__ import annotations

import signal
import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this message is for an older Python)
    found = "{}.{}".format(*sys.version_info[:2])
    sys.exit(
        "setup: error: this is Python " + found + "; the project needs Python 3.11 or later.\n"
        "  Fix: install it and repeat; if it is not called `python3`, name it: make PYTHON=python3.11 ..."
    )

from toolchain.setup import main

if sys.platform != "win32":
    for number in (signal.SIGTERM, signal.SIGHUP):  # end as Ctrl-C does: a running compiler ends too
        signal.signal(number, signal.default_int_handler)

sys.exit(main(sys.argv[1:]))
