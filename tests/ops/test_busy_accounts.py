"""Commands against an account that changes itself without end."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.foundation import clock, sealing
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.store.writes import connection
from chalicelib.taxis.access import store, users
from chalicelib.taxis.access.rules import Record
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.main import main
from ops.cli.secret_keys import reseal

pytestmark = pytest.mark.usefixtures("store")


class Busy:
    """An account that changes itself once more before each write of anybody else's."""

    def __init__(self) -> None:
        self.tries = self.changes = 0
        self._is_at_it = False

    def before_a_write(self, **_: Any) -> None:
        """Changes itself, as PUT /users/:id does."""
        if self._is_at_it:
            return
        self._is_at_it = True
        self.tries += 1
        try:
            own = administration.find("busy")
            users.change(own, {"name": f"busy {self.tries}"}, now=clock.now())
            self.changes += 1
        except users.Busy:
            pass  # it is held
        finally:
            self._is_at_it = False


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Busy]:
    """The account, with an old key that still opens, and the one that commands are about."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    administration.add("busy", roles=[Role.OPERATEUR], now=clock.now())
    administration.add("fleet")
    administration.rotate_key("busy", now=clock.now(), overlap=timedelta(days=1))
    account = Busy()
    events = connection().client.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", account.before_a_write)
    yield account
    events.unregister("before-call.dynamodb.TransactWriteItems", account.before_a_write)


def found() -> Record:
    return administration.find("busy")


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        (("suspend", "busy"), lambda: not found().account.active),
        (("rotate-key", "busy"), lambda: found().old_key is None),
        (("revoke-old-key", "busy"), lambda: found().old_key is None),
        (("set-role", "busy", "--role", "moteur"), lambda: found().account.roles == {Role.MOTEUR}),
        (
            ("set-manager", "busy", "--manager", "fleet"),
            lambda: found().account.manager_id == administration.find("fleet").account.id,
        ),
        (("set-fleet-size", "busy", "7"), lambda: found().fleet_size == 7),
        (("set-password", "busy"), lambda: found().password),
        (
            ("add", "busy", "--hail-url", "https://busy.example/", "--yes"),
            lambda: found().hail_endpoint_production == "https://busy.example/",
        ),
    ],
)
def test_a_command_wins_against_an_account_that_keeps_changing_itself(
    command: tuple[str, ...], holds: Callable[[], bool], busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: "correct horse\n", raising=False)

    assert main(["account", *command]) == 0

    assert holds()
    assert busy.changes == 1  # it was in the way, and then kept out
    assert found().name == "busy 1"  # what it changed meanwhile is not lost


def test_what_an_old_secret_key_sealed_is_sealed_anew_though_the_account_keeps_changing(
    busy: Busy, environment: Callable[..., None]
) -> None:
    new = "bmV3LWtleS1mb3ItdGVzdHMtbmV3LWtleS1mb3ItdGU="
    environment(MARAUDE_SECRET_KEYS=f"{new},dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=")

    assert reseal(dry_run=False, quiet=True).anew == 2

    assert sealing.resealed(found().sealed_key) is None
    assert busy.changes >= 1


def test_after_the_command_the_account_changes_itself_again(busy: Busy) -> None:
    main(["account", "set-fleet-size", "busy", "7"])

    busy.before_a_write()

    assert found().name == f"busy {busy.tries}"
    assert found().fleet_size == 7


def test_a_command_that_was_broken_off_holds_an_account_for_half_a_minute() -> None:
    account, _ = administration.add("busy", now=clock.now())
    held_at = clock.now()
    store.hold(account.id, until=held_at + administration.HELD)

    with pytest.raises(users.Busy):
        users.change(found(), {"name": "too soon"}, now=held_at + timedelta(seconds=29))
    users.change(found(), {"name": "later"}, now=held_at + timedelta(seconds=31))

    assert found().name == "later"


def test_a_hold_waits_for_the_transaction_that_is_on_its_way(busy: Busy) -> None:
    met: list[str] = []

    def conflict(**_: Any) -> Any:
        if len(met) == 3:
            return None
        met.append("another transaction")
        answer = SimpleNamespace(status_code=400, headers={})
        return answer, {"Error": {"Code": "TransactionConflictException", "Message": "injected"}}

    events = (
        store.AccountRow._get_connection().connection.client.meta.events
    )  # PynamoDB has no public name for it
    events.register("before-call.dynamodb.UpdateItem", conflict)
    try:
        assert main(["account", "suspend", "busy"]) == 0
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", conflict)

    assert len(met) == 3
    assert not found().account.active
    assert busy.changes == 1


def test_a_command_that_never_wins_says_so(
    busy: Busy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(administration, "TRIES", Retry(tries=1))

    assert main(["account", "suspend", "busy"]) == 1

    assert "The account 'busy' keeps being changed" in capsys.readouterr().err
    assert busy.changes == 1


def test_an_account_that_nobody_has_cannot_be_held() -> None:
    with pytest.raises(store.RecordMoved):
        store.hold(404, until=clock.now())

    assert store.by_id(404) is None
