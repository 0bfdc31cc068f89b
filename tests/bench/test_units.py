"""Each rule of AWS's, case by case; the page that says it stands beside it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from bench import charges, units
from bench.meter import Meter
from bench.units import NotCounted

KEYS = {"things": ("id",), "lists": ("owner", "entry")}


# --- sizes: CapacityUnitCalculations.html ---------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"id": {"S": "abc"}}, 5),  # names count, and text in UTF-8
        ({"né": {"S": "é€"}}, 3 + 5),
        ({"n": {"B": b"\x00" * 10}}, 11),  # "the value's raw byte length"
        ({"n": {"B": "AAAAAAAAAAAAAA=="}}, 11),
        ({"n": {"B": "AAAA"}}, 4),
        ({"n": {"BOOL": False}}, 2),  # "(1 byte)"
        ({"n": {"NULL": True}}, 2),
        ({"n": {"L": []}}, 4),  # "3 bytes of overhead, regardless of its contents"
        ({"n": {"M": {}}}, 4),
        ({"n": {"L": [{"S": "ab"}, {"S": "c"}]}}, 1 + 3 + 3 + 2),  # "element also requires 1 byte"
        ({"n": {"M": {"ab": {"S": "c"}}}}, 1 + 3 + 1 + 3),
        ({"n": {"SS": ["ab", "c"]}}, 4),
        ({"n": {"NS": ["1", "22"]}}, 1 + 2 + 2),
        ({"n": {"BS": [b"ab", b"c"]}}, 4),
        ({"a": {"S": "x"}, "b": {"S": "yy"}}, 5),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert units.item_bytes(item) == size


@pytest.mark.parametrize(
    ("number", "size"),
    [
        ("7", 2),  # "(1 byte per two significant digits) + (1 byte)"
        ("12", 2),
        ("123", 3),
        ("1767225600", 5),  # eight digits: "leading and trailing zeroes are trimmed"
        ("1767225601", 6),
        ("100", 2),
        ("0.0012", 2),
        ("1.50", 2),
        ("0", 1),
        ("-12", 3),
        ("9" * 38, 20),
    ],
)
def test_a_number_takes_a_byte_for_two_digits_and_one_more(number: str, size: int) -> None:
    assert units.number_bytes(number) == size


def test_a_value_of_an_unknown_kind_is_not_counted() -> None:
    with pytest.raises(NotCounted):
        units.value_bytes({"X": 1})


# --- rounding: read-write-operations.html ---------------------------------------------------------


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (1, 1), (4096, 1), (4097, 2), (10_000, 3)])
def test_a_read_is_rounded_up_to_4_kb(size: int, expected: int) -> None:
    assert units.read_units(size, consistent=True) == expected
    assert units.read_units(size, consistent=False) == expected / 2


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (3500, 4)])
def test_a_write_is_rounded_up_to_1_kb(size: int, expected: int) -> None:
    assert units.write_units(size) == expected


# --- calls ----------------------------------------------------------------------------------------


class Scene:
    """Two tables on moto, whose calls are counted; what is held is read past the counter."""

    def __init__(self) -> None:
        past: Any = boto3.client("dynamodb", region_name="eu-west-3")
        for name, keys in KEYS.items():
            past.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        self.meter = Meter(
            lambda table, key: past.get_item(TableName=table, Key=key).get("Item"), KEYS
        )
        self.past = past
        self.client: Any = boto3.client("dynamodb", region_name="eu-west-3")
        self.meter.attach(self.client.meta.events)

    def has(self, name: str, size: int) -> None:
        """There is a thing of that many bytes already."""
        self.past.put_item(TableName="things", Item=a_thing(name, size))


def a_thing(name: str, size: int) -> dict[str, Any]:
    thing: dict[str, Any] = {"id": {"S": name}, "b": {"B": b""}}
    thing["b"] = {"B": b"x" * (size - units.item_bytes(thing))}
    return thing


def a_key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


@pytest.fixture
def scene() -> Iterator[Scene]:
    with mock_aws():
        yield Scene()


def test_a_put_costs_the_larger_of_the_old_and_the_new_item(scene: Scene) -> None:
    scene.has("a", 5000)

    with scene.meter.counting() as bill:
        scene.client.put_item(TableName="things", Item=a_thing("a", 100))
        scene.client.put_item(TableName="things", Item=a_thing("b", 1025))

    # "the item size that matters is the larger of the two"
    assert bill.of_key == {("things", "a"): 5, ("things", "b"): 2}
    assert bill.calls == {"PutItem": 2}


def test_an_update_costs_the_whole_item_the_larger_of_before_and_after(scene: Scene) -> None:
    scene.has("a", 3000)

    with scene.meter.counting() as bill:
        scene.client.update_item(
            TableName="things",
            Key=a_key("a"),
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"B": b"x" * 100}},
        )
        scene.client.update_item(TableName="things", Key=a_key("a"), UpdateExpression="REMOVE b, n")

    assert bill.write_units == 4 + 4


def test_a_deletion_costs_what_it_deletes(scene: Scene) -> None:
    scene.has("a", 2049)

    with scene.meter.counting() as bill:
        scene.client.delete_item(TableName="things", Key=a_key("a"))
        scene.client.delete_item(TableName="things", Key=a_key("a"))

    assert bill.write_units == 3 + 1  # of one that is not there: 1


def test_a_refused_write_costs_what_is_there(scene: Scene) -> None:
    scene.has("a", 3000)

    with scene.meter.counting() as bill:
        for name, condition in [("a", "attribute_not_exists(id)"), ("b", "attribute_exists(id)")]:
            with pytest.raises(ClientError):
                scene.client.put_item(
                    TableName="things", Item=a_thing(name, 9000), ConditionExpression=condition
                )

    # WorkingWithItems.html: "dependent on the size of the existing item (or a minimum of 1)"
    assert bill.of_key == {("things", "a"): 3, ("things", "b"): 1}
    assert bill.refused == 2


def test_a_malformed_call_costs_nothing(scene: Scene) -> None:
    with scene.meter.counting() as bill, pytest.raises(ClientError):
        scene.client.update_item(TableName="things", Key=a_key("a"), UpdateExpression="SET")

    assert bill.read_units == bill.write_units == 0


def test_a_get_is_rounded_and_half_price_where_it_may_be_old(scene: Scene) -> None:
    scene.has("a", 4097)

    with scene.meter.counting() as strong:
        scene.client.get_item(TableName="things", Key=a_key("a"), ConsistentRead=True)
    with scene.meter.counting() as eventual:
        scene.client.get_item(TableName="things", Key=a_key("a"))
    with scene.meter.counting() as absent:
        scene.client.get_item(TableName="things", Key=a_key("b"))

    assert (strong.read_units, eventual.read_units, absent.read_units) == (2, 1, 0.5)


def test_a_get_costs_the_whole_item_whatever_is_projected(scene: Scene) -> None:
    scene.has("a", 9000)

    with scene.meter.counting() as bill:
        scene.client.get_item(TableName="things", Key=a_key("a"), ProjectionExpression="id")

    assert bill.read_units == 1.5


def test_a_batch_of_gets_is_rounded_item_by_item(scene: Scene) -> None:
    scene.has("a", 1536)
    scene.has("b", 6656)

    with scene.meter.counting() as bill:
        scene.client.batch_get_item(
            RequestItems={
                "things": {"Keys": [a_key("a"), a_key("b"), a_key("c")], "ConsistentRead": True}
            }
        )

    # "1.5 KB and 6.5 KB ... 12 KB (4 KB + 8 KB)"; the third does not exist
    assert bill.read_units == 1 + 2 + 1
    assert bill.read_keys == 3


def test_a_query_adds_up_before_it_rounds(scene: Scene) -> None:
    for entry in "abc":
        item = {"owner": {"S": "o"}, "entry": {"S": entry}, "b": {"B": b"x" * 1500}}
        scene.past.put_item(TableName="lists", Item=item)

    def query(owner: str, **how: Any) -> None:
        scene.client.query(
            TableName="lists",
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": {"S": owner}},
            **how,
        )

    with scene.meter.counting() as strong:
        query("o", ConsistentRead=True)
    with scene.meter.counting() as eventual:
        query("o")
    with scene.meter.counting() as empty:
        query("nobody")

    assert (strong.read_units, eventual.read_units, empty.read_units) == (2, 1, 0.5)


@pytest.mark.parametrize(
    "hiding", [{"ProjectionExpression": "id"}, {"FilterExpression": "attribute_exists(id)"}]
)
def test_a_scan_that_hides_what_it_reads_is_not_counted(
    scene: Scene, hiding: dict[str, str]
) -> None:
    with pytest.raises(NotCounted):
        scene.client.scan(TableName="things", **hiding)


def test_a_transaction_costs_twice(scene: Scene) -> None:
    scene.has("a", 1500)
    scene.has("b", 100)

    with scene.meter.counting() as bill:
        scene.client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "things", "Item": a_thing("c", 100)}},
                {"Delete": {"TableName": "things", "Key": a_key("a")}},
                {
                    "ConditionCheck": {
                        "TableName": "things",
                        "Key": a_key("b"),
                        "ConditionExpression": "attribute_exists(id)",
                    }
                },
            ]
        )
        scene.client.transact_get_items(
            TransactItems=[{"Get": {"TableName": "things", "Key": a_key("b")}}]
        )

    assert bill.of_key == {("things", "c"): 2, ("things", "a"): 4, ("things", "b"): 2}
    assert bill.read_units == 2


def test_a_cancelled_transaction_costs_twice_what_is_there(scene: Scene) -> None:
    scene.has("a", 1500)

    with scene.meter.counting() as bill, pytest.raises(ClientError):
        scene.client.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": "things",
                        "Item": a_thing("a", 9000),
                        "ConditionExpression": "attribute_not_exists(id)",
                    }
                }
            ]
        )

    assert bill.write_units == 4


def test_a_batch_of_writes_costs_each_of_them(scene: Scene) -> None:
    scene.has("a", 2500)

    with scene.meter.counting() as bill:
        scene.client.batch_write_item(
            RequestItems={
                "things": [
                    {"DeleteRequest": {"Key": a_key("a")}},
                    {"PutRequest": {"Item": a_thing("b", 1025)}},
                ]
            }
        )

    assert bill.of_key == {("things", "a"): 3, ("things", "b"): 2}


def test_an_operation_that_it_does_not_know_is_not_counted(scene: Scene) -> None:
    with pytest.raises(NotCounted):
        scene.client.execute_statement(Statement="SELECT * FROM things")


def test_our_tables_have_no_index_whose_writes_would_cost() -> None:
    keys = charges.schema("test")

    assert keys["maraude-test-cells"] == ("cell",)
    assert keys["maraude-test-fleets"] == ("owner", "entry")


def test_a_table_with_an_index_is_not_counted() -> None:
    properties = {
        "TableName": {"Fn::Sub": "t"},
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{"IndexName": "i"}],
    }

    with pytest.raises(NotCounted):
        charges.schema("test", {"T": {"Type": "AWS::DynamoDB::Table", "Properties": properties}})
