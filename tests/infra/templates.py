"""The packaged template, as it is written and as AWS's SAM transform leaves it."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.transform import transform

from ops import apps
from ops.templates import Loader

Template = dict[str, Any]


class NoManagedPolicies:
    """No role of ours names a policy by AWS's name, so the translation need not know them."""

    def load(self) -> dict[str, str]:
        """The managed policies by name."""
        return {}


def account() -> Template:
    """What an AWS account has once."""
    text = (apps.ROOT / "infra/account.yaml").read_text("utf-8")
    found: Template = yaml.load(text, Loader=Loader)  # noqa: S506  # a safe loader
    return found


def packaged(package: Path) -> Template:
    """What `make package` writes."""
    text = (package / "sam.yaml").read_text("utf-8")
    found: Template = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


def translated(template: Template, *, stage: str = "dev") -> Template:
    """What CloudFormation is given: the functions, events and stages that SAM makes of its own kinds."""
    uploaded = copy.deepcopy(template)
    for resource in uploaded["Resources"].values():
        if "CodeUri" in resource["Properties"]:  # `aws cloudformation package` puts it there
            resource["Properties"]["CodeUri"] = "s3://packages/deployment.zip"
    made = transform(uploaded, {"Stage": stage}, NoManagedPolicies())
    found: Template = json.loads(json.dumps(made))
    return found


def of_kind(template: Template, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The resources of a kind, with their logical names."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource
