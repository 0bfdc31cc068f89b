"""Switches of the territory: small documents that make a load the current one, all at once or not at all."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents
from chalicelib.taxis.territory import borders, editions, store
from chalicelib.taxis.territory.editions import Conurbations, Edition, Exclusions, Shelf
from ops.cli.territory.items import ITEM_BYTES, squeezed
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class LoadOvertaken(Exception):
    """Another load has changed the same documents since this one began."""


class LoadGaveWay(CannotGoOn):
    """Another load changed the territory meanwhile."""


@contextmanager
def alone() -> Iterator[None]:
    """Says so where another load came between. Raises LoadGaveWay."""
    documents.forget()
    try:
        yield
    except (LoadOvertaken, store.GenerationGone) as error:
        raise LoadGaveWay(
            "Another load changed the territory meanwhile; this one changed nothing. Run it again."
        ) from error


def switch_edition(to: Edition) -> None:
    """Makes an edition the current one. Its version is one more than that of the edition it replaces.

    Raises LoadOvertaken.
    """
    _switch(
        editions.edition.name,
        to.version,
        {
            "generation": {"S": to.generation},
            "tiles": {"B": zlib.compress(" ".join(map(geo.key, sorted(to.tiles))).encode(), 9)},
            "prefixes": {"S": " ".join(to.prefixes)},
            "zones": squeezed(
                [
                    [zone.zone_id, zone.number, zone.nom, sorted(zone.members)]
                    for zone in to.zones.zones
                ]
            ),
            "shapes": {"S": to.shapes},
            **({"merged": squeezed(_by_new_code(to.merged))} if to.merged else {}),
        },
    )


def _by_new_code(merged: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for old, new in sorted(merged.items()):
        found.setdefault(new, []).append(old)
    return found


def switch_exclusions(to: Exclusions) -> None:
    """Makes these exclusions the current ones. Raises LoadOvertaken."""
    _switch(
        editions.exclusions.name,
        to.version,
        {
            "exclusions": {
                "L": [
                    {
                        "M": {
                            "id": {"S": one.exclusion_id},
                            "name": {"S": one.name},
                            "shape": {"B": borders.pack(one.shape)},
                        }
                    }
                    for one in to.exclusions.values()
                ]
            }
        },
    )


def switch_conurbations(to: Conurbations) -> None:
    """Makes these conurbations the current ones. Raises LoadOvertaken."""
    rows = [
        [one.conurbation_id, one.name, one.declared_ads, sorted(one.members)]
        for one in to.conurbations
    ]
    _switch(editions.conurbations.name, to.version, {"conurbations": squeezed(rows)})


def switch_shelf(to: Shelf) -> None:
    """Makes these stations the current ones. Raises LoadOvertaken."""
    _switch(
        editions.shelf.name,
        to.version,
        {"generation": {"S": to.generation}, "parts": {"N": str(to.parts)}},
    )


class DocumentTooLarge(CannotGoOn):
    """A document that every process reads whole would not fit into an item."""


def _value_bytes(value: Any) -> int:  # noqa: ANN401  # what DynamoDB takes
    """The size of an attribute's value, at least as DynamoDB counts it."""
    ((kind, inner),) = value.items()
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in inner)
    if kind == "M":
        return 3 + sum(1 + len(name) + _value_bytes(one) for name, one in inner.items())
    return len(inner if kind == "B" else str(inner).encode())


def _switch(name: str, version: int, attributes: "Mapping[str, AttributeValueTypeDef]") -> None:
    size = _value_bytes({"M": attributes})
    if size > ITEM_BYTES - 1024:
        raise DocumentTooLarge(
            f"The document {name} would have {size // 1024} KB, more than {ITEM_BYTES // 1024}: "
            "load fewer of them, or shapes of fewer corners. Nothing was changed."
        )
    condition = "attribute_not_exists(#name)" if version == 1 else "version = :before"
    try:
        clients.dynamodb().put_item(
            TableName=table("config"),
            Item={"name": {"S": name}, "version": {"N": str(version)}, **attributes},
            ConditionExpression=condition,
            **(
                {"ExpressionAttributeNames": {"#name": "name"}}
                if version == 1
                else {"ExpressionAttributeValues": {":before": {"N": str(version - 1)}}}
            ),
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException as error:
        raise LoadOvertaken(f"the document {name} was changed by another load meanwhile") from error
    documents.forget()
