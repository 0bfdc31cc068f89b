"""The CloudFormation templates of a service: the files of `infra/every` and `infra/NAME`, read as one.

Alarms and dashboard are tables of their own there (`ops/monitoring.py`), and become resources here.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ops import monitoring
from ops.apps import App
from ops.errors import CannotGoOn

Template = dict[str, Any]

# Files of a service that are no templates.
_TABLES = ("app.yaml", "permissions.yaml", "alarms.yaml", "dashboard.yaml")


class TemplateBroken(CannotGoOn):
    """Two files of a service declare the same thing."""


class Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short tags, which become the functions that they stand for."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101  # YAML has no fourth kind of node
    value = loader.construct_scalar(node)
    return {name: value.split(".", 1) if suffix == "GetAtt" else value}


Loader.add_multi_constructor("!", _function)


@cache
def template(app: App) -> Template:
    """The sections of all its files together; its own say otherwise than the shared ones, under the same names.

    Raises TemplateBroken, RowBroken.
    """
    own = _parts(app.templates)
    own["alarms.yaml"] = monitoring.alarms(app)
    own["dashboard.yaml"] = {"Resources": monitoring.dashboard(app)}
    found: Template = _over(_together(_parts(app.shared_templates)), _together(own))
    return found


def _parts(folder: Path) -> dict[str, Template]:
    return {
        file.name: yaml.load(file.read_text("utf-8"), Loader=Loader)  # noqa: S506  # a safe loader
        for file in sorted(folder.glob("*.yaml"))
        if file.name not in _TABLES
    }


def _together(parts: Mapping[str, Template]) -> Template:
    found: Template = {}
    for name, part in parts.items():
        for section, entries in part.items():
            declared = found.setdefault(section, {})
            if again := declared.keys() & entries.keys():
                raise TemplateBroken(f"{name} declares {', '.join(sorted(again))} again.")
            declared.update(entries)
    return found


def _over(shared: Any, own: Any) -> Any:  # noqa: ANN401  # of a template's parts
    """What is shared, with what a service says otherwise under the same names."""
    if not (isinstance(shared, dict) and isinstance(own, dict)):
        return own
    return shared | {
        name: _over(shared[name], one) if name in shared else one for name, one in own.items()
    }


def resources(app: App) -> Mapping[str, dict[str, Any]]:
    """Its resources: logical name to `{"Type": ..., "Properties": ...}`.

    Without what its files add to Chalice's own functions, which has no type.
    """
    declared: dict[str, dict[str, Any]] = template(app)["Resources"]
    return {name: resource for name, resource in declared.items() if "Type" in resource}


def text_of(value: object, stage: str) -> str:
    """A name in a template, in a stage."""
    text = value["Fn::Sub"] if isinstance(value, dict) else str(value)
    return text.replace("${Stage}", stage)
