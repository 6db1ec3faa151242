"""How both clients open their channel."""

from collections.abc import Sequence

Metadata = Sequence[tuple[str, str | bytes]]

OPTIONS = (
    ("grpc.enable_retries", 0),  # `_retry` is the one mechanism
    ("grpc.service_config_disable_resolution", 1),
    # A service that comes back is found within a second, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 16 * 2**20),
    ("grpc.max_metadata_size", 64 * 2**10),
)

DEFAULT_TARGET = "127.0.0.1:50051"
DEFAULT_STORE = "default"
DEFAULT_TIMEOUT = 2.0
