"""cfn-lint finds nothing in the packaged template, nor in what AWS's SAM transform makes of it."""

from pathlib import Path

import pytest
from samtranslator.model.exceptions import InvalidDocumentException

from tests.infra.linting import faults
from tests.infra.templates import Template, account, packaged, translated


def alone(package: Path, resource: str) -> Template:
    """The packaged template with one of its resources only: linting all of them takes four seconds."""
    template = packaged(package)
    template["Resources"] = {resource: template["Resources"][resource]}
    return template


def test_nothing_is_wrong_with_the_packaged_template(template: Template) -> None:
    assert faults(template) == []


def test_nothing_is_wrong_with_the_account_s_template() -> None:
    assert faults(account()) == []


def test_nothing_is_wrong_with_what_sam_makes_of_it(template: Template) -> None:
    made = translated(template)

    kinds = [resource["Type"] for resource in made["Resources"].values()]
    assert [kind for kind in kinds if kind.startswith("AWS::Serverless::")] == []
    assert kinds.count("AWS::Lambda::EventSourceMapping") == 5  # two queues, three streams
    assert faults(made) == []


def test_a_misspelt_property_is_found(package: Path) -> None:
    template = alone(package, "HailsTable")
    template["Resources"]["HailsTable"]["Properties"]["Tabelname"] = "hails"

    assert any("Tabelname" in fault for fault in faults(template))


def test_a_fault_within_an_event_is_found_in_what_sam_makes_of_it(package: Path) -> None:
    template = alone(package, "IngestFunction")
    events = template["Resources"]["IngestFunction"]["Properties"]["Events"]
    events["Positions"]["Properties"]["MaximumRetryAttempts"] = 20_000  # of 10,000

    try:
        found = faults(translated(template))
    except InvalidDocumentException as error:
        found = [str(error)]

    assert any("20000" in fault for fault in found)


def test_a_kind_of_event_that_sam_lacks_is_refused(package: Path) -> None:
    template = alone(package, "IngestFunction")
    template["Resources"]["IngestFunction"]["Properties"]["Events"]["Positions"]["Type"] = "Kinesi"

    with pytest.raises(InvalidDocumentException):
        translated(template)
