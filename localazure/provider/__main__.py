"""`pulumi-resource-azure-native ENGINE_ADDRESS`: prints its port and ends with the engine."""

import os
import signal
import sys

from localazure.provider.engine import Engine
from localazure.provider.install import PARENT_VARIABLE
from localazure.provider.protocol import skip_the_sdk


def main() -> None:
    """Runs until the engine ends it or has ended itself."""
    # The engine starts each plugin in its own process group, which a Ctrl-C in the terminal does not reach, and ends it
    # with SIGINT after Cancel. It waits five seconds, so the plugin ends at once and without a traceback.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    engine = Engine(next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None))
    engine.end_with(int(os.environ.get(PARENT_VARIABLE) or os.getppid()))
    skip_the_sdk()
    from localazure.provider.arm_client import ArmClient, Surroundings
    from localazure.provider.server import serve
    from localazure.provider.servicer import Servicer

    servicer = Servicer(engine, dict(os.environ), lambda env: ArmClient(Surroundings.from_environment(env)))
    server, port = serve(servicer)
    print(port, flush=True)  # the engine reads the first line on stdout
    server.wait_for_termination()


if __name__ == "__main__":
    main()
