"""Call: one request to the service, ready to send, and how to read what comes back.

Rule 1: a call knows nothing of channels, time or threads, so that both clients share it.
Rule 2: an answer that lacks what the protocol promises is an UnexpectedAnswer; nothing is
    filled in.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from authz._text import not_unicode
from authz._wire import read_time
from authz.errors import UNREPRESENTABLE, InvalidRequest, UnexpectedAnswer

Result = TypeVar("Result")
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """A request as bytes. `repeatable` says that sending it twice is as good as once."""

    path: str
    request: bytes
    read: Callable[[bytes], Result]
    repeatable: bool


@contextmanager
def refusing_the_unrepresentable() -> Iterator[None]:
    """Raise InvalidRequest for what protobuf refuses: lone surrogates, numbers out of range."""
    try:
        yield
    except InvalidRequest:
        raise
    except UnicodeEncodeError as error:
        raise not_unicode(error) from error
    except ValueError as error:
        raise InvalidRequest(
            f"the request cannot be sent: {error}", reason=UNREPRESENTABLE
        ) from error


def reading(
    response_type: type[Response], read: Callable[[Response], Result]
) -> Callable[[bytes], Result]:
    """Return `read` for bytes, which raises nothing but UnexpectedAnswer."""

    def read_bytes(answer: bytes) -> Result:
        response = response_type()
        try:
            response.ParseFromString(answer)
            return read(response)
        # A fact that is none, and a time that no datetime can hold, are ValueErrors.
        except (DecodeError, ValueError, OverflowError) as error:
            raise UnexpectedAnswer(f"the answer cannot be read: {error}") from error

    return read_bytes


def stated_text(text: str, name: str) -> str:
    if not text:
        raise UnexpectedAnswer(f"the answer lacks `{name}`")
    return text


def stated_version(version: int) -> int:
    if version < 1:
        raise UnexpectedAnswer(f"the answer lacks `policy_version`, or has {version} there")
    return version


def stated_time(response: Message, name: str) -> datetime:
    if not response.HasField(name):
        raise UnexpectedAnswer(f"the answer lacks `{name}`")
    return read_time(getattr(response, name))
