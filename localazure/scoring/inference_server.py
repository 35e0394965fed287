"""Starts azureml-inference-server-http the way its own command, azmlinfsrv, does, but on a unix socket.

    python inference_server.py SOCKET [FLAGS OF GUNICORN...]

Run as a script in a model's environment, never imported: it imports nothing of this project. What the command does
before it starts gunicorn determines what a model's log shows: it configures the server's loggers, prints its settings,
and calls `logging.debug`. That call gives the root logger a handler at WARNING with Python's default format, so a
scoring script's `logging.basicConfig` has no effect (read in amlserver.py of 1.5.1; a test compares such a script's log
with that of the command itself).
"""

import importlib
import io
import os
import sys
from typing import Any

PORT = "31311"  # as in the logs of Azure's images (public container logs); nothing listens on it here


def main() -> None:
    socket, flags = sys.argv[1], sys.argv[2:]
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if folder != here]  # the model must not see the files next to this one
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # otherwise each worker would write the buffered output again
    application = importlib.import_module("gunicorn.app.wsgiapp").WSGIApplication
    load_config = application.load_config

    def load_config_for_a_socket(self: Any) -> None:
        sys.argv[1:1] = flags
        load_config(self)
        self.cfg.set("bind", [f"unix:{socket}"])

    application.load_config = load_config_for_a_socket
    command = importlib.import_module("azureml_inference_server_http.amlserver")
    sys.argv = ["azmlinfsrv", "--entry_script", os.environ["AZUREML_ENTRY_SCRIPT"], "--port", PORT]
    command.run()


if __name__ == "__main__":
    main()
