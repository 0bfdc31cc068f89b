"""What is in a packaged zip, by where it comes from."""

import zipfile
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from ops.apps import App
from ops.release.audit import licences


def names(package: Path) -> set[str]:
    """The files of a package's zip."""
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        return set(packed.namelist())


def distributions(package: Path) -> set[str]:
    """The distributions whose metadata travels, by name."""
    folders = {name.split("/")[0] for name in names(package)}
    return {
        canonicalize_name(folder.removesuffix(".dist-info").rpartition("-")[0])
        for folder in folders
        if folder.endswith(".dist-info")
    }


def required(app: App) -> set[str]:
    """The distributions that a service requires, with what they require, by name."""
    return set(licences.closure(licences.requirements(app.project / "requirements.txt")))


def strangers(app: App, package: Path) -> set[str]:
    """The files that are neither the service's own, nor the foundation's, nor of a distribution, nor Chalice's."""
    links = (one.name for one in (app.project / "vendor").iterdir() if one.name != "chalicelib")
    own = (
        *("app.py", "__pycache__/app.", "chalice/", *(f"{link}/" for link in links)),
        *("chalicelib/__", "chalicelib/foundation/", f"chalicelib/{app.name}/"),
    )
    with zipfile.ZipFile(package / "deployment.zip") as packed:
        recorded = {
            line.split(",")[0]
            for name in packed.namelist()
            if name.endswith(".dist-info/RECORD")
            for line in packed.read(name).decode().splitlines()
        }
    return {
        name
        for name in names(package)
        if not name.startswith(own) and _source(name) not in recorded
    }


def _source(name: str) -> str:
    """A module's file, for what it was compiled to."""
    path = PurePosixPath(name)
    if path.suffix != ".pyc":
        return name
    return str(path.parents[1] / f"{path.name.partition('.')[0]}.py")
