"""What docs/udp.md tells operators, and what the container is made of."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops.local.demo import fleet as demo
from tests.ops.datagrams import NOW_S
from udp_gateway.datagram import Drop, read

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/udp.md").read_text()
DOCKERFILE = (ROOT / "infra/taxis/udp/Dockerfile").read_text()


def test_the_examples_are_signed_with_their_key_as_they_stand() -> None:
    [key] = re.findall(r"for the key `([^`]+)`", PAGE)
    examples = re.findall(r"^\{.*\}$", PAGE, re.MULTILINE)

    found = [read(sent.encode()) for sent in examples]

    assert ["signature" in json.loads(sent) for sent in examples] == [True, False]
    for one in found:
        assert one.is_signed_with(key.encode())
        assert (one.lat_e7, one.lng_e7, one.sent_s) == (488600000, 23500000, NOW_S)


def test_the_pages_code_makes_a_datagram_that_fits() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # the page's own

    made = read(names["datagram"]("key", "operator", "abcdefg", "48,86", "2.350"))

    assert made.is_signed_with(b"key")


def test_the_page_names_every_reason_and_the_demonstrations_operator() -> None:
    assert [reason for reason in Drop if f"`{reason}`" not in PAGE] == []
    assert f"`{demo.OPERATOR}`" in PAGE


def test_the_container_has_what_the_door_needs(tmp_path: Path) -> None:
    for copied in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *sources, to = copied.split()
        for source in sources:
            there = tmp_path / to / (Path(source).name if to.endswith("/") else "")
            there.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, there)
    [entry] = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)

    program, *arguments = json.loads(entry)
    ran = subprocess.run(
        [sys.executable, *arguments, "--help"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert program == "python"
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_container_s_packages_are_pinned_by_their_hashes() -> None:
    [named] = re.findall(r"-c constraints.txt \\\n(.+)$", DOCKERFILE, re.MULTILINE)
    installs = re.findall(r"pip install .+", DOCKERFILE)
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().split()}

    assert set(named.split()) <= pinned
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)


def test_the_container_is_built_on_an_image_that_only_a_digest_can_name() -> None:
    assert re.findall(r"^(?:ARG|FROM) .+$", DOCKERFILE, re.MULTILINE) == [
        "ARG PYTHON_DIGEST",
        "FROM public.ecr.aws/docker/library/python:3.11-slim@${PYTHON_DIGEST}",
    ]
    assert "--build-arg PYTHON_DIGEST=sha256:" in PAGE
