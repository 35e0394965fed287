"""Loaded by the program's interpreter in a probed preview: records imports, phases and third-party modules.

Does nothing in any other interpreter of that process tree (CLI plugins, language host).
"""

import atexit
import importlib.abc
import importlib.util
import json
import os
import sys
import time

record = os.environ.get("SLUICE_BENCH_PROBE")
if record and any("pulumi-language-python-exec" in argument for argument in sys.orig_argv):
    started = time.time()
    before = set(sys.modules)
    reading = [0.0]
    # The interpreter writes its import times to file descriptor 2.
    os.dup2(os.open(f"{record}.imports", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)

    def timed(function):
        def call(*arguments, **options):
            begun = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                reading[0] += time.perf_counter() - begun

        return call

    class TimeReads(importlib.abc.MetaPathFinder):
        """Times the functions with which the program reads Azure."""

        def find_spec(self, name, path=None, target=None):
            if name != "assessment.live":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                for function in ("read_caller", "read_stack"):
                    setattr(module, function, timed(getattr(module, function)))

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, TimeReads())

    def write():
        ended = time.time()
        modules = []
        for name in [name for name in sys.modules if name not in before]:
            origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None) or ""
            if "site-packages" in origin and not name.startswith("_"):
                modules.append(name)
        with open(f"{record}.json", "w") as file:
            json.dump({"started": started, "ended": ended, "reading_seconds": reading[0], "modules": modules}, file)

    atexit.register(write)
