"""The taxi registry's settings.

The numbers that a decree sets (radius, freshness) stand here with the reference's values as
defaults [contract: Numbers].
"""

import re

from chalicelib.foundation import settings as common
from chalicelib.foundation.settings import BadSetting, positive


class Settings(common.Settings, frozen=True):
    """One deployment's values. Times end in `_s` (seconds), lengths in `_m` (metres)."""

    console_url: str = ""  # where `GET /` leads; empty for no console
    guides_url: str = ""  # where these guides are published, for a link of `GET /doc`; or empty
    integration_enabled: bool = False  # whether everybody may act as the next account, for tests
    integration_account_email: str = "neotaxi"  # as which the console's simulators act
    password_confirms: bool = False  # PUT /users/:id asks for the password before grave changes
    allow_loopback_hooks: bool = False  # operators' servers on this machine: at a desk only
    hook_connect_s: int = 3  # to connect to an operator's server
    hook_within_s: int = 10  # the whole call of an operator's server
    hook_calls_at_once: int = 10  # of one operator's server
    hook_accept_empty: bool = False  # an empty answer with 2xx; the reference wants JSON

    freshness_s: int = 120  # after which a taxi's position counts no more
    radius_min_m: int = 150  # the least radius that a taxi may choose
    radius_max_m: int = 500  # and the radius of a taxi that has chosen none
    positions_a_post: int = 50  # in one POST /geotaxi
    temporary_id_s: int = 3600  # how long an id that a search showed is good
    udp_stale_s: int = 300  # by a datagram's own clock; 0 takes any

    # How long a hail may stay as it is [contract: Deadlines of a hail]; `received` has no limit in the reference.
    wait_received_s: int = 30  # how long a hail may stay `received`
    wait_received_by_operator_s: int = 10  # `received_by_operator`
    wait_received_by_taxi_s: int = 30  # `received_by_taxi`: the driver's time
    wait_accepted_by_taxi_s: int = 30  # `accepted_by_taxi`: the customer's time
    wait_accepted_by_customer_s: int = 1800  # `accepted_by_customer`: to come
    wait_customer_on_board_s: int = 7200  # `customer_on_board`: the ride
    dispatch_within_s: int = 10  # of the creation; a hail that is sent later has failed
    session_s: int = 300  # since its last hail moved: then a customer's next hail begins a new one
    hail_visible_days: int = 60  # to partners; then it is blurred
    hail_kept_days: int = 365  # blurred; then it is deleted
    hail_log_days: int = 42  # how long the requests of a hail are kept
    activity_days: int = 60  # how long the journal of activities is kept
    key_days: int = 365  # after which the doctor says that an API key is old
    part_kept_days: int = 365  # a driver, an ADS, a description that no taxi is made of
    taxi_kept_days: int = 365  # without a position or a hail
    hail_taxi_vehicle_details: str = ""  # ids of accounts that see seats too, separated by commas

    account_cache_s: int = 30  # how old an account may be in a process
    details_cache_s: int = 30  # how old the details of a taxi may be in a search
    fleet_cache_s: int = 30  # how old the list of an operator's taxis may be in a process
    territory_cache_tiles: int = 4096  # tiles with borders of towns that a process keeps

    search_note_count: int = 500  # searches that a process notes before it sends them to be counted
    search_note_s: int = 10  # and for how long

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(
            self,
            *("freshness_s", "radius_min_m", "positions_a_post"),
            *("hook_connect_s", "hook_within_s", "hook_calls_at_once"),
            *("taxi_kept_days", "part_kept_days", "key_days"),
            *(name for name in self.__struct_fields__ if name.startswith("wait_")),
        )
        for name in ("console_url", "guides_url"):
            if (url := getattr(self, name)) and not re.fullmatch(r"https?://[!-~]+", url):
                raise BadSetting(
                    f"MARAUDE_{name.upper()} must be an address that begins with https://"
                )
        for name in ("hail_log_days", "activity_days"):
            if getattr(self, name) > self.hail_visible_days:
                raise BadSetting(
                    f"MARAUDE_{name.upper()} may be at most MARAUDE_HAIL_VISIBLE_DAYS: it tells whose a hail is"
                )
        if self.udp_stale_s < 0:
            raise BadSetting("MARAUDE_UDP_STALE_S must be 0 or more")
        if not self.radius_min_m <= self.radius_max_m <= 0xFFFF:
            raise BadSetting(
                "MARAUDE_RADIUS_MAX_M must be at least MARAUDE_RADIUS_MIN_M and at most 65535"
            )
        if self.account_cache_s > 60:
            raise BadSetting(
                "MARAUDE_ACCOUNT_CACHE_S may be at most 60: a suspension counts within a minute"
            )
        if not 1 <= self.search_note_count <= 10_000:
            raise BadSetting("MARAUDE_SEARCH_NOTE_COUNT must be from 1 to 10000")
        if not 1 <= self.search_note_s <= 300:
            raise BadSetting("MARAUDE_SEARCH_NOTE_S must be from 1 to 300")


def settings() -> Settings:
    """This process's settings of the taxi registry. Raises BadSetting on first use."""
    return common.of(Settings)
