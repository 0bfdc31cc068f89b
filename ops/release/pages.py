"""Commands of the pages, typed for a service on a cloud of this machine.

They are typed as they stand there (`followed.py`), so that the cloud's CloudFormation is given the package's
template and zip, as AWS's would be.
"""

import re
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ops import apps
from ops.apps import ROOT, App
from ops.errors import CannotGoOn
from ops.release import cloud, followed
from ops.release.deployment_zip import unpacked

BUCKET = "packages"

_PLACEHOLDERS = {"BUCKET": BUCKET, "DOMAIN": cloud.DOMAIN}  # of what the pages name in capitals

_MAKES_A_PACKAGE = re.compile("make package|ops.release.package")
DOCTOR = "maraude doctor"

# Where a page's commands name a service: they are about the first one.
_NAMES_A_SERVICE = re.compile(r"(APP=|--app |build/)(\w+)")


class RehearsalFailed(CannotGoOn):
    """A step did not do what it should."""


@dataclass(kw_only=True)
class Pages:
    """What the pages say, done for one service and stage. Raises RehearsalFailed.

    A `package` that is given takes the place of those that the pages make of commits. `to_come` is what the
    doctor misses until somebody has done it.
    """

    app: App
    place: Path  # for files of its own
    stage: str
    package: Path | None
    shell: followed.Shell
    template: dict[str, Any] = field(default_factory=dict)  # of the package, once it is made
    left_out: list[str] = field(default_factory=list)  # the alarms that the cloud here cannot have
    to_come: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.app.templates / "alarms.yaml").exists():
            topic = self.app.named("alarms", self.stage)
            self.to_come.append(f"Nobody subscribes to {topic}: alarms wake nobody.")

    def type(
        self,
        line: str,
        placeholders: Mapping[str, str] = _PLACEHOLDERS,
        *,
        fine: Collection[int] = (0,),
    ) -> followed.Answer:
        """Types a line of a page, for this service and stage; `placeholders` stands for what is in capitals there."""
        line = line.replace(apps.first().named("", "prod"), self.app.named("", "prod"))
        line = _NAMES_A_SERVICE.sub(rf"\g<1>{self.app.name}", line)
        line = re.sub(r"\bprod\b", self.stage, line)
        line = re.sub(r"\b[A-Z_]+\b", lambda found: placeholders.get(found[0], found[0]), line)
        answer = self.shell.type(line)
        if answer.code not in fine:
            raise RehearsalFailed(f"{line}\nended with {answer.code}: {answer.complained[-2000:]}")
        return answer

    def follow(self, page: str, section: str, **placeholders: str) -> list[followed.Answer]:
        """Types what a section of a page says; what is answered, line by line."""
        every = followed.steps(followed.page(page), on_aws=True)
        steps = [one for one in every if one.section == section]
        if not steps:
            raise RehearsalFailed(f"docs/{page}.md has nothing to type under {section!r}.")
        return [self._take(step, _PLACEHOLDERS | placeholders) for step in steps]

    def _take(self, step: followed.Step, placeholders: Mapping[str, str]) -> followed.Answer:
        if _MAKES_A_PACKAGE.search(step.typed):
            if not self.package:
                self.type(step.typed, placeholders)
            self._adapt(self.package or self._build)
        elif step.typed.startswith(DOCTOR):
            return self._ask_the_doctor(step.typed.removeprefix(DOCTOR))
        else:
            answer = self.type(step.typed, placeholders)
            if not step.is_seen(answer.output):
                raise RehearsalFailed(
                    f"{step.typed}\nanswers {answer.output!r}, not {step.seen!r}, as the page has it."
                )
            return answer
        return followed.Answer(0, "", "")

    def _ask_the_doctor(self, options: str) -> followed.Answer:
        """Does what the doctor says of tables; then nothing is wrong but what the cloud here lacks."""
        line = f"maraude {self.app.project} doctor{options}"
        answer = self.type(line, fine=(0, 1))
        if advice := re.findall("^  -> (aws dynamodb .*)", answer.output, re.MULTILINE):
            for one in advice:
                self.type(one)
            answer = self.type(line, fine=(0, 1))
        expected = [f"The alarm {name} is not there." for name in self.left_out]
        expected += self.to_come
        if sorted(re.findall("^(.*)\\n  -> ", answer.output, re.MULTILINE)) != sorted(expected):
            raise RehearsalFailed(f"The doctor says {answer.output}{answer.complained}")
        return answer

    @property
    def _build(self) -> Path:
        return self.place / "source" / "build" / self.app.name / self.stage

    def _adapt(self, made: Path) -> None:
        """Makes a package one that the cloud here takes, where the pages look for it."""
        files = self.place / "files"
        unpacked(made / "deployment.zip", files)
        for module in cloud.BEFORE_THE_APPLICATION:
            there = files / module.relative_to(ROOT)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, there)
        self.template = yaml.load((made / "sam.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
        alarms = {
            name: resource["Properties"].get("AlarmName", {}).get("Fn::Sub", "")
            for name, resource in self.template["Resources"].items()
        }
        self.left_out = [
            alarms[name].replace("${Stage}", self.stage) for name in cloud.adapted(self.template)
        ]
        self._build.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(self._build / "deployment.zip", "w") as zipped:
            for file in sorted(path for path in files.rglob("*") if path.is_file()):
                zipped.write(file, file.relative_to(files))
        shutil.rmtree(files)
        (self._build / "sam.yaml").write_text(yaml.dump(self.template), "utf-8")
