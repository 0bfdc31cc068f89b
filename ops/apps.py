"""The services of this repository as values: where each has its project folder and its templates.

A service is a Chalice project: the repository's root, or a folder of `apps/`. Its name is the `app_name`
of its `.chalice/config.json`, its package `chalicelib/NAME`, its templates `infra/NAME/`, found in the
project folder or the nearest folder above, and `infra/every/`, found in the same way. What else differs from one service to another stands in
`infra/NAME/app.yaml` (`Home`); no code asks for a service's name.
"""

import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from chalicelib.foundation.http.application import Application

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Path(".chalice", "config.json")


class AppUnknown(CannotGoOn):
    """No service has this name, and no project folder is there."""

    exit_code = 2


class Home(Struct, frozen=True, eq=False, forbid_unknown_fields=True):
    """`infra/NAME/app.yaml`: what is a service's own for `ops`; every field may be left out.

    `prefix` begins the names of all that the service has on AWS, `namespace` is of its metrics. `data` is its folder in the data folder
    of the local system, `port` that of its API there. `commands` are those of `maraude` that it has beside
    every service's own, by name: modules with `add_parser`. `doctor` is a module with `checks(now)`,
    `journal` one with `enter(arguments)`, which is called before each command that speaks to a registry,
    and returns what to say after it where the entry was not written. `rehearsal` one with `TO_COME` and
    `use(deployment, sections)`. `demo` and `udp` are packages of processes beside the API;
    `demo` has the `SETTINGS` of the system that it runs on. `start` is a module with `pages()`: what the local gateway
    answers in the API's place, and `account_of(headers)`: who a request's line in the log names.
    """

    title: str = ""
    prefix: str = ""
    namespace: str = ""
    data: str = ""
    port: int = 0
    commands: Mapping[str, str] = {}
    doctor: str = ""
    journal: str = ""
    rehearsal: str = ""
    demo: str = ""
    start: str = ""
    udp: str = ""


class App(Struct, frozen=True):
    """One service. `project` has `app.py`, `.chalice/` and `requirements.txt`; the folders are absolute."""

    name: str
    project: Path
    templates: Path
    shared_templates: Path
    home: Home

    @property
    def prefix(self) -> str:
        """What the names of its tables, queues and functions begin with, for CloudFormation's `Sub`."""
        return self.home.prefix or f"maraude-${{Stage}}-{self.name}"

    @property
    def namespace(self) -> str:
        """CloudWatch's namespace of its metrics."""
        return self.home.namespace or f"Maraude/{self.name}"

    def named(self, name: str, stage: str) -> str:
        """The full name of what is its own in a stage; without a name, that of its stack."""
        return "-".join(filter(None, (self.prefix.replace("${Stage}", stage), name)))

    @property
    def data(self) -> str:
        """Its folder in the data folder of the local system."""
        return self.home.data or self.name

    def within(self, source: Path) -> "App":
        """The same service in an export of the repository. Raises AppUnknown."""
        return at(source / self.project.relative_to(ROOT))


class _Config(Struct):
    app_name: str


def _nearest(project: Path, name: str) -> Path:
    """`infra/NAME` in a folder, or the nearest above it. Raises StopIteration where there is none."""
    folders = (folder / "infra" / name for folder in (project, *project.parents))
    return next(folder for folder in folders if folder.is_dir())


@cache
def at(project: Path) -> App:
    """The service of a project folder. Raises AppUnknown."""
    project = project.absolute()
    try:
        name = msgspec.json.decode((project / CONFIG).read_bytes(), type=_Config).app_name
        templates, shared = _nearest(project, name), _nearest(project, "every")
        file = templates / "app.yaml"
        home = msgspec.yaml.decode(file.read_bytes(), type=Home) if file.exists() else Home()
    except (OSError, StopIteration, msgspec.DecodeError) as error:
        raise AppUnknown(f"{project} is no service's project folder: {error!r}") from None
    return App(name, project, templates, shared, home)


@cache
def every() -> Mapping[str, App]:
    """The services of this repository by name; the first is that of its root."""
    configs = (ROOT / CONFIG, *sorted(ROOT.glob(f"apps/*/{CONFIG}")))
    found = (at(config.parents[1]) for config in configs)
    return {app.name: app for app in found}


def first() -> App:
    """The service of the repository's root, which commands are about where none is named."""
    return next(iter(every().values()))


def find(text: str) -> App:
    """A service by its name or its project folder. Raises AppUnknown."""
    if text in every():
        return every()[text]
    if Path(text, CONFIG).exists():
        return at(Path(text))
    names = ", ".join(every())
    raise AppUnknown(f"{text!r} is neither a service ({names}) nor a project folder of one.")


@cache
def application(app: App) -> "Application":
    """What its `app.py` makes, which is loaded once in a process."""
    spec = importlib.util.spec_from_file_location(f"{app.name}_app", app.project / "app.py")
    assert spec is not None  # noqa: S101  # of a file whose name ends in .py
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Application = module.app
    return found


def schedules(app: App) -> Mapping[str, tuple[str, str]]:
    """When each of its scheduled functions runs, and what it does, by its name in words."""
    from chalice.app import ScheduledEventConfig

    loaded = application(app)
    found = {}
    for source in loaded.event_sources:
        if isinstance(source, ScheduledEventConfig):
            schedule = source.schedule_expression
            when = schedule if isinstance(schedule, str) else schedule.to_string()
            what = getattr(loaded.handler_map[source.name], "func").__doc__ or ""  # noqa: B009  # Chalice's, without a type
            found[source.name.replace("_", "-")] = when, what
    return found


def in_words(function: str) -> str:
    """A function's logical name as others are spelled: `CountActive` is `count-active`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", function).lower()
