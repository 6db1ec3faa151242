"""Settings: everything that can be configured; the only reader of the environment.

Each setting is read from the environment (`AUTHZ_` and its name), else from the file `authz.toml` in the
working directory, else it has the default below.
"""

import os
import re
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from authz_service.engine.engines import Engine

# HOST:PORT, where an IPv6 host stands in brackets.
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):([0-9]{1,5})")
_LAST_PORT = 65535
# Up to the last @, as one in a password may not have been encoded; or among the parameters.
_PASSWORD = re.compile(r"(://[^:/@]*:).*(@)")
_PASSWORD_PARAMETER = re.compile(r"([?&][^=&]*password=)[^&]*", re.IGNORECASE)

_PREFIX = "AUTHZ_"
_OF_COMMANDS = frozenset({"AUTHZ_STORE", "AUTHZ_TARGET"})
# What Kubernetes tells each container about a service that is called `authz` or `authz-...`.
_OF_KUBERNETES = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_\w+)?)?)")


class LogLevel(Enum):
    """Which log lines are written: `info` has one for each write and each failure."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """The configuration of `authz serve`. Immutable; unknown names in the file are refused."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, toml_file="authz.toml", frozen=True, extra="forbid"
    )

    database_url: str = Field("sqlite:///authz.db", description="where facts and policies are kept")
    read_database_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="standbys of a PostgreSQL database (spaces between) to read copies from"
    )
    listen: str = Field("127.0.0.1:50051", description="address and port of the gRPC server")
    metrics_listen: str = Field(
        "127.0.0.1:9464", description="address and port of the Prometheus metrics"
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="processes that serve on the one port; each has all facts in memory",
    )
    policy: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="files or folders (: between) whose policy is published at the start"
    )
    watch: bool = Field(
        default=False, description="publish the policy again whenever its files change"
    )
    engine: Engine = Field(Engine.COMPILED, description="which engine decides")
    log_level: LogLevel = Field(LogLevel.INFO, description="which log lines are written")
    history_days: float = Field(
        30.0, gt=0, le=3650, description="so long facts and policies of the past can be asked for"
    )
    idempotency_hours: float = Field(
        24.0, gt=0, le=8760, description="so long writes are known by their idempotency key"
    )
    max_staleness_seconds: float = Field(
        300.0, gt=0, le=86400, description="so long questions are answered without the database"
    )
    snapshot_file: Path | None = Field(
        None,
        description="where a copy of facts and policies is kept to start from; none by default",
    )
    max_request_bytes: int = Field(
        4 * 2**20, ge=1024, le=64 * 2**20, description="larger requests are refused"
    )
    max_batch_questions: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="questions in one BatchAuthorize; over many resources ten times as many",
    )
    evaluation_steps: int = Field(
        2_000_000, ge=1, description="work that one question may cost before it is an error"
    )
    list_steps: int = Field(
        20_000_000, ge=1, description="work that one list may cost before it is an error"
    )
    query_steps: int = Field(
        5_000_000, ge=1, description="work that one query may cost before it is an error"
    )
    shutdown_seconds: float = Field(
        10.0, ge=0, le=600, description="time for running requests to end after SIGTERM"
    )

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _address(cls, value: str) -> str:
        found = _ADDRESS.fullmatch(value)
        # gRPC would take the port modulo 65536.
        if found is None or int(found[2]) > _LAST_PORT:
            raise ValueError(
                f"write HOST:PORT, as in 127.0.0.1:50051, with a port up to {_LAST_PORT}"
            )
        return value

    @field_validator("read_database_urls", mode="before")
    @classmethod
    def _urls(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value

    @field_validator("policy", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        return value.split(os.pathsep) if isinstance(value, str) and value else value or ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def misspelled(self) -> dict[str, str]:
        """Return variables of the environment that resemble a setting and are none, with the one for each.

        That is a setting which nothing else sets: a service that starts with the default instead, such as an
        empty database, would deny what it should permit.
        """
        settings = type(self).model_fields
        found = {}
        for variable in filter(_is_ours, sorted(os.environ)):  # noqa: TID251 - no place but this reads it
            name = variable.upper().removeprefix(_PREFIX).lower()
            close = get_close_matches(name, settings, n=1)
            if name not in settings and close and close[0] not in self.model_fields_set:
                found[variable] = _PREFIX + close[0].upper()
        return found

    def redacted(self) -> dict[str, Any]:
        """Return all settings as plain values, without passwords."""
        values = self.model_dump(mode="json")
        values["database_url"] = _redacted(self.database_url)
        values["read_database_urls"] = [_redacted(url) for url in self.read_database_urls]
        return values


def _is_ours(variable: str) -> bool:
    """Say whether a variable of the environment may have been meant for a setting."""
    name = variable.upper()
    is_others = name in _OF_COMMANDS or _OF_KUBERNETES.fullmatch(name)
    return name.startswith(_PREFIX) and not is_others


def _redacted(url: str) -> str:
    return _PASSWORD_PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***\2", url))
