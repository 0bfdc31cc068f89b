"""The environment, read and checked."""

import pytest

from chalicelib.foundation.settings import BadSetting, read
from chalicelib.taxis.settings import Settings


def test_nothing_need_be_set() -> None:
    assert read(Settings, {}) == Settings()


def test_each_kind_of_value_is_read() -> None:
    found = read(
        Settings,
        {
            "MARAUDE_REGION": "eu-west-1",
            "MARAUDE_FRESHNESS_S": "180",
            "MARAUDE_INTEGRATION_ENABLED": "yes",
        },
    )

    assert (found.region, found.freshness_s, found.integration_enabled) == ("eu-west-1", 180, True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MARAUDE_FRESHNESS_S", "soon"),
        ("MARAUDE_FRESHNESS_S", "0"),
        ("MARAUDE_POSITIONS_A_POST", "-1"),
        ("MARAUDE_INTEGRATION_ENABLED", "perhaps"),
        ("MARAUDE_RADIUS_MAX_M", "149"),
        ("MARAUDE_RADIUS_MAX_M", "65536"),
        ("MARAUDE_ACCOUNT_CACHE_S", "61"),
        ("MARAUDE_CONFIG_CACHE_S", "61"),
        ("MARAUDE_SEARCH_NOTE_COUNT", "0"),
        ("MARAUDE_SEARCH_NOTE_COUNT", "10001"),
        ("MARAUDE_SEARCH_NOTE_S", "0"),
        ("MARAUDE_SEARCH_NOTE_S", "301"),
        ("MARAUDE_UDP_STALE_S", "-1"),
        ("MARAUDE_REQUESTS_A_SECOND", "0"),
    ],
)
def test_a_value_that_cannot_be_run_with_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        read(Settings, {variable: value})
