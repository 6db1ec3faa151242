"""The calls of the service: how each is asked, and how its answer is read.

Rule 1: a call knows nothing of channels, time or threads, so that both clients share it.
Rule 2: only an answer that says all that the protocol promises is returned. Whatever is missing,
    unknown or contradictory raises UnexpectedAnswer; nothing is filled in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from authz import _wire as wire
from authz._decision import Answer, Decision, Question
from authz._fact import Fact, FactPattern
from authz._results import Policy, PublishedPolicy, WriteOutcome, WriteResult
from authz._status import error_of_question
from authz.errors import UNREPRESENTABLE, InvalidRequest, UnexpectedAnswer
from authz.v1 import authorization_service_pb2 as authorization_pb
from authz.v1 import fact_service_pb2 as fact_pb
from authz.v1 import policy_service_pb2 as policy_pb

Result = TypeVar("Result")
Response = TypeVar("Response", bound=Message)
