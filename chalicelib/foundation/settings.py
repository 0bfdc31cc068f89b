"""Settings of a deployment: environment variables, read and checked on first use.

Each service has a class of its own over the few values that all share. Every variable is called
`MARAUDE_` and the field's name in capitals.
"""

import os
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import fields


class BadSetting(Exception):
    """The environment holds a value that a service cannot run with. It names the variable."""


def positive(values: "Settings", *names: str) -> None:
    """Refuses values that are not more than 0. Raises BadSetting."""
    for name in names:
        if getattr(values, name) <= 0:
            raise BadSetting(f"MARAUDE_{name.upper()} must be more than 0")


class Settings(Struct, frozen=True):
    """Settings that all services share. Times end in `_s` (seconds)."""

    stage: str = "dev"  # which begins the names of tables, streams and queues
    region: str = "eu-west-3"  # of AWS
    endpoint: str = ""  # of AWS-compatible services; empty for AWS itself
    namespace: str = "Maraude"  # of its metrics; packaging gives each service its own
    secret_keys: str = ""  # Fernet keys, newest first, separated by commas
    secret_id: str = ""  # or the Secrets Manager secret that holds them
    hook_secret_keys: str = ""  # the same, for what others' servers are sent
    hook_secret_id: str = ""  # or the Secrets Manager secret that holds them
    secret_days: int = 365  # after which the doctor says that the keys of a secret are old
    config_cache_s: int = 30  # how old zones, exclusions and the grid of cells may be in a process
    body_limit_bytes: int = 1_048_576  # of a request; a longer one is answered 413
    requests_a_second: int = 500  # with one key, over 10 s; what comes beside is answered 429
    keyless_requests_a_second: int = 100  # from one address, likewise; 0: no limit

    def __post_init__(self) -> None:
        positive(self, "body_limit_bytes", "requests_a_second", "secret_days")
        if self.keyless_requests_a_second < 0:
            raise BadSetting("MARAUDE_KEYLESS_REQUESTS_A_SECOND must be 0 or more")
        if self.config_cache_s > 60:
            raise BadSetting(
                "MARAUDE_CONFIG_CACHE_S may be at most 60: a new leaf map is known within a minute"
            )


S = TypeVar("S", bound=Settings)

_YES = {"yes", "true", "1", "t"}
_NO = {"no", "false", "0", "f", ""}


def read(kind: type[S], environment: dict[str, str]) -> S:
    """The settings of an environment. Raises BadSetting."""
    found: dict[str, str | int | bool] = {}
    for field in fields(kind):
        variable = f"MARAUDE_{field.name.upper()}"
        text = environment.get(variable)
        if text is None:
            continue
        if field.type is str:
            found[field.name] = text
        elif field.type is bool:
            if text.lower() not in _YES | _NO:
                raise BadSetting(f"{variable} must be true or false, not {text!r}")
            found[field.name] = text.lower() in _YES
        else:
            try:
                found[field.name] = int(text)
            except ValueError:
                raise BadSetting(f"{variable} must be a whole number, not {text!r}") from None
    return kind(**found)  # type: ignore[arg-type]  # each value was made for its field's type


_known: dict[type[Settings], Settings] = {}


def of(kind: type[S]) -> S:
    """This process's settings of a service, read on first use. Raises BadSetting."""
    known = _known.get(kind)
    if not isinstance(known, kind):
        known = _known[kind] = read(kind, dict(os.environ))
    return known


def forget() -> None:
    """Has all settings read anew: for tests, and commands that turn to another deployment."""
    _known.clear()


def settings() -> Settings:
    """This process's settings, as far as all services share them. Raises BadSetting on first use."""
    return of(Settings)


def table(name: str) -> str:
    """The full name of a table, stream or queue in this stage (`infra/*/resources.yaml`)."""
    return f"maraude-{os.environ.get('MARAUDE_STAGE', 'dev')}-{name}"
