"""What a client is told once: where the service is, and how to talk to it."""

import re
from dataclasses import dataclass
from typing import Final

import grpc

from authz._retry import require_timeout
from authz._text import malformed, quoted, require_unicode

Metadata = tuple[tuple[str, str | bytes], ...]

CHANNEL_OPTIONS: Final = (
    # One mechanism retries, and it is ours: authz._retry. A service config, which could also
    # set timeouts, is not even looked up.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Each client has a connection of its own. Behind one port there may be several processes, and it is
    # connections that are spread over them.
    ("grpc.use_local_subchannel_pool", 1),
    # A service that restarts is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A connection that was lost without a word is found out while a call waits for something, however
    # long it is quiet: whoever watches must not believe for ever that nothing happens.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A page of 1000 facts, or a policy of 100 files.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # The findings about a policy travel in the trailers; 8 KiB, gRPC's default, would cut them.
    ("grpc.max_metadata_size", 64 * 1024),
)


_HEADER: Final = re.compile(r"[0-9a-z_.-]+", re.ASCII)
_PRINTABLE: Final = re.compile(rb"[ -~]*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service is, which store to ask, and how long to wait for an answer."""

    target: str
    store: str
    timeout: float
    credentials: grpc.ChannelCredentials | None
    metadata: Metadata

    def __post_init__(self) -> None:
        require_timeout(self.timeout)
        require_unicode(self.target)
        for key, value in self.metadata:
            _require_header(key, value)

    def timeout_or_default(self, timeout: float | None) -> float:
        return self.timeout if timeout is None else require_timeout(timeout)


def _require_header(key: str, value: str | bytes) -> None:
    """Refuse what gRPC would not send. The value stays unsaid, as it may be a password."""
    if not _HEADER.fullmatch(key):
        message = "the key of metadata has lower-case letters, digits and any of _ . -"
        raise malformed(f"{message}; found {quoted(key)}")
    if isinstance(value, bytes) and key.endswith("-bin"):
        return
    encoded = value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
    if not _PRINTABLE.fullmatch(encoded):
        message = f"the metadata `{key}` has characters that are not printable ASCII"
        raise malformed(f"{message}; give such a value as bytes, under a key that ends in `-bin`")
