"""What cfn-lint finds in a template."""

import json

from cfnlint.api import ManualArgs, lint

from chalicelib.foundation.settings import Settings
from tests.infra.templates import Template

REGIONS = [Settings().region]

# A rule that is not heeded stands here with its reason. There is none.
NOT_HEEDED: dict[str, str] = {}


def faults(template: Template) -> list[str]:
    """What cfn-lint finds: errors, warnings and advice."""
    found = lint(
        json.dumps(template),
        config=ManualArgs(regions=REGIONS, include_checks=["I"], ignore_checks=list(NOT_HEEDED)),
    )
    return [f"{one.rule.id} {'/'.join(map(str, one.path or ()))}: {one.message}" for one in found]
