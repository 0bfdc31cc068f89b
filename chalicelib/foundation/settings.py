"""What may differ from one deployment to another: the environment, read and checked on first use.

The numbers that a decree sets (radius, freshness) stand here with the reference's values as
defaults (positions 1). Every variable is called `MARAUDE_` and the field's name in capitals.
"""

import os
from functools import cache

from msgspec import Struct
from msgspec.structs import fields


class BadSetting(Exception):
    """The environment holds a value that the registry cannot run with. It names the variable."""


class Settings(Struct, frozen=True):
    """One deployment's values. Times end in `_s` (seconds), lengths in `_m` (metres)."""

    stage: str = "dev"
    region: str = "eu-west-3"
    endpoint: str = ""  # of AWS-compatible services; empty for AWS itself

    secret_keys: str = ""  # Fernet keys, newest first, separated by commas
    secret_id: str = ""  # or the Secrets Manager secret that holds them

    console_url: str = "https://console.api.taxi"
    integration_enabled: bool = False
    integration_account_email: str = "neotaxi"
    allow_private_hooks: bool = False
    hook_connect_s: int = 3
    hook_within_s: int = 10  # the whole call of an operator's server
    hook_calls_at_once: int = 10  # of one operator's server
    hook_accept_empty: bool = False  # an empty answer with 2xx; the reference wants JSON

    freshness_s: int = 120
    radius_min_m: int = 150
    radius_max_m: int = 500  # and the radius of a taxi that has chosen none
    positions_a_post: int = 50
    temporary_id_s: int = 3600
    udp_stale_s: int = 300  # by a datagram's own clock; 0 takes any

    # How long a hail may stay as it is (hails 4); `received` has no limit in the reference.
    wait_received_s: int = 30
    wait_received_by_operator_s: int = 10
    wait_received_by_taxi_s: int = 30
    wait_accepted_by_taxi_s: int = 30
    wait_accepted_by_customer_s: int = 1800
    wait_customer_on_board_s: int = 7200
    dispatch_within_s: int = 10  # of the creation; a hail that is sent later has failed
    session_s: int = 300  # since its last hail moved: then a customer's next hail begins a new one
    hail_visible_days: int = 60  # to partners; then it is blurred
    hail_kept_days: int = 365
    hail_log_days: int = 42
    activity_days: int = 60
    key_days: int = 365  # after which the doctor says that an API key is old
    secret_days: int = 365  # after which it says so of the deployment's secret keys
    part_kept_days: int = 365  # a driver, an ADS, a description that no taxi is made of
    taxi_kept_days: int = 365  # without a position or a hail
    hail_taxi_vehicle_details: str = ""  # ids of accounts that see seats too, separated by commas

    account_cache_s: int = 30
    config_cache_s: int = 30
    details_cache_s: int = 30
    fleet_cache_s: int = 30
    territory_cache_tiles: int = 4096

    # How many searches a process notes before it sends them to be counted, and for how long.
    search_note_count: int = 500
    search_note_s: int = 10

    body_limit_bytes: int = 1_048_576
    requests_a_second: int = 500  # with one key, over 10 s; what comes beside is answered 429

    def __post_init__(self) -> None:
        for name in (
            *("freshness_s", "radius_min_m", "positions_a_post", "body_limit_bytes"),
            "requests_a_second",
            *("hook_connect_s", "hook_within_s", "hook_calls_at_once"),
            *("taxi_kept_days", "part_kept_days", "key_days", "secret_days"),
            *(name for name in self.__struct_fields__ if name.startswith("wait_")),
        ):
            if getattr(self, name) <= 0:
                raise BadSetting(f"MARAUDE_{name.upper()} must be more than 0")
        if self.udp_stale_s < 0:
            raise BadSetting("MARAUDE_UDP_STALE_S must be 0 or more")
        if not self.radius_min_m <= self.radius_max_m <= 0xFFFF:
            raise BadSetting(
                "MARAUDE_RADIUS_MAX_M must be at least MARAUDE_RADIUS_MIN_M and at most 65535"
            )
        if self.account_cache_s > 60 or self.config_cache_s > 60:
            raise BadSetting(
                "MARAUDE_ACCOUNT_CACHE_S and MARAUDE_CONFIG_CACHE_S may be at most 60: a suspension "
                "bites, and a new leaf map is known, within a minute"
            )
        if not 1 <= self.search_note_count <= 10_000:
            raise BadSetting("MARAUDE_SEARCH_NOTE_COUNT must be from 1 to 10000")
        if not 1 <= self.search_note_s <= 300:
            raise BadSetting("MARAUDE_SEARCH_NOTE_S must be from 1 to 300")


_YES = {"yes", "true", "1", "t"}
_NO = {"no", "false", "0", "f", ""}


def read(environment: dict[str, str]) -> Settings:
    """The settings of an environment. Raises BadSetting."""
    found: dict[str, str | int | bool] = {}
    for field in fields(Settings):
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
    return Settings(**found)  # type: ignore[arg-type]  # each value was made for its field's type


@cache
def settings() -> Settings:
    """This process's settings. Raises BadSetting on first use."""
    return read(dict(os.environ))


def table(name: str) -> str:
    """The full name of a table, stream or queue in this stage (`infra/resources.yaml`)."""
    return f"maraude-{os.environ.get('MARAUDE_STAGE', 'dev')}-{name}"
