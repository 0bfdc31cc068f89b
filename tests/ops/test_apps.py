"""Services are found by their project folders, and what they own bears their names."""

from itertools import combinations
from pathlib import Path

import pytest

from ops import apps
from ops.apps import App, AppUnknown
from ops.templates import resources

TOY = apps.find("tests/toy")
EVERY = [*apps.every().values(), TOY]

# The property that names what holds data, by its kind.
NAMED = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
}


def names(app: App) -> set[str]:
    return {
        resource["Properties"][NAMED[resource["Type"]]]["Fn::Sub"]
        for resource in resources(app).values()
        if resource["Type"] in NAMED
    }


def test_the_service_of_the_repository_s_root_is_the_first() -> None:
    assert apps.first() is apps.find("taxis")
    assert apps.first().project == apps.ROOT


def test_a_service_is_found_by_its_project_folder() -> None:
    assert (TOY.name, TOY.templates) == ("toy", apps.ROOT / "tests/toy/infra/toy")
    assert TOY.shared_templates == apps.ROOT / "infra/every"


@pytest.mark.parametrize("text", ["nobody", "tests", "tests/nowhere"])
def test_what_is_no_service_is_said_to_be_none(text: str) -> None:
    with pytest.raises(AppUnknown, match="taxis"):
        apps.find(text)


@pytest.mark.parametrize("written", ["porrt: 8000", "port: many", "commands: [up]", "- port: 1"])
def test_a_service_whose_file_says_something_else_is_refused(tmp_path: Path, written: str) -> None:
    project = tmp_path / "odd"
    (project / apps.CONFIG).parent.mkdir(parents=True)
    (project / apps.CONFIG).write_text('{"app_name": "odd"}')
    for folder in ("odd", "every"):
        (tmp_path / "infra" / folder).mkdir(parents=True)
    (tmp_path / "infra" / "odd" / "app.yaml").write_text(written)

    with pytest.raises(AppUnknown, match="odd"):
        apps.at(project)


@pytest.mark.parametrize("app", EVERY, ids=lambda app: app.name)
def test_what_holds_data_is_named_for_its_stage_and_service(app: App) -> None:
    found = names(app)

    assert found
    assert [name for name in found if not name.startswith(f"{app.prefix}-")] == []


def test_the_taxi_registry_alone_keeps_the_names_that_it_has() -> None:
    own = {app.name: app.prefix for app in EVERY if app.prefix != f"maraude-${{Stage}}-{app.name}"}

    assert own == {"taxis": "maraude-${Stage}"}


def test_no_two_services_name_anything_alike() -> None:
    for one, other in combinations(EVERY, 2):
        assert names(one).isdisjoint(names(other))
        # A role of one on all that begins with the other's prefix would meet what is not its own.
        assert not any(name.startswith(f"{other.prefix}-") for name in names(one))


def test_full_names_are_of_a_stage() -> None:
    assert TOY.named("counts", "prod") == "maraude-prod-toy-counts"
    assert TOY.named("", "prod") == "maraude-prod-toy"
    assert apps.first().named("hails", "dev") == "maraude-dev-hails"


def test_the_same_service_is_found_in_an_export(tmp_path: Path) -> None:
    exported = tmp_path / "tests" / "toy"
    for file in (
        apps.CONFIG,
        Path("infra/toy/resources.yaml"),
        Path("../../infra/every/stage.yaml"),
    ):
        (exported / file).parent.mkdir(parents=True, exist_ok=True)
        (exported / file).write_bytes((TOY.project / file).read_bytes())

    found = TOY.within(tmp_path)

    assert (found.name, found.project) == ("toy", exported)
    assert resources(found).keys() < resources(TOY).keys()  # it has no alarms there
