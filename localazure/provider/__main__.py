"""`pulumi-resource-azure-native ENGINE_ADDRESS`: serves the plugin on a free port, prints the port, ends with the
engine.
"""

import os
import signal
import sys
from concurrent import futures

import grpc

from localazure.provider.arm_client import ArmClient, Surroundings
from localazure.provider.engine import Engine
from localazure.provider.protocol import services
from localazure.provider.servicer import Servicer

_MESSAGE_BYTES = 400 * 1024 * 1024
# The engine runs many operations at once, and each long one waits in a thread.
_THREADS = 64


def main() -> None:
    """Runs until the engine ends it or is gone."""
    # Ctrl-C reaches the whole process group: the engine decides what it means and calls Cancel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    engine = Engine(next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None))
    limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_THREADS), options=limits)
    servicer = Servicer(engine, dict(os.environ), lambda env: ArmClient(Surroundings.from_environment(env)))
    services.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # the first line on stdout is the engine's to read
    engine.end_with()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
