"""Serves the plugin on a free port of the loopback address."""

from concurrent import futures

import grpc

from localazure.provider.servicer import Servicer, services

_MESSAGE_BYTES = 400 * 1024 * 1024
# The engine runs many operations at once, and each long one waits in a thread.
_THREADS = 64


def serve(servicer: Servicer) -> tuple[grpc.Server, int]:
    """Starts a server; returns it and its port."""
    limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_THREADS), options=limits)
    services.add_ResourceProviderServicer_to_server(servicer, server)
    port: int = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
