"""images/builder/Dockerfile makes what scripts/build-image makes, from the same list."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

from sandbox.builder.recipe import ROOT, Recipe, parse
from sandbox.resources import image

LIST = image("builder/packages.txt")
LINES = re.sub(r"\\\n\s*", "", image("builder/Dockerfile").read_text("utf-8")).splitlines()


def words(instruction: str) -> list[str]:
    """What the last stage says after an instruction."""
    last = max(number for number, line in enumerate(LINES) if line.startswith("FROM "))
    return [line.partition(" ")[2] for line in LINES[last:] if line.startswith(f"{instruction} ")]


def test_it_installs_the_packages_of_the_list_and_no_others() -> None:
    [copied] = [line for line in words("COPY") if not line.startswith("--from")]
    assert copied.split()[0] == LIST.name
    [run] = words("RUN")
    installs = re.findall(r"apt-get install\s[^&|]*", run)
    assert len(installs) == 1
    assert [word for word in shlex.split(installs[0])[2:] if not word.startswith("-")] == []
    reading = re.search(r"sed '[^']*'", run)
    assert reading is not None and f"{reading[0]} {copied.split()[1]} | " in run
    shown = subprocess.run(["sh", "-c", f"{reading[0]} {shlex.quote(str(LIST))}"], capture_output=True, text=True)
    assert shown.stdout.split() == [name for group in parse(LIST.read_text("utf-8")) for name in group.names]
    assert "--no-install-recommends" in installs[0]


def test_its_path_user_label_and_toolchain_are_those_of_the_script() -> None:
    config = json.loads(Recipe((), "amd64", "", "", "").config("sha256:0"))["config"]
    [env] = words("ENV")
    assert shlex.split(env) == config["Env"]
    assert words("USER") == [config["User"]]
    assert words("WORKDIR") == [config["WorkingDir"]]
    assert [json.loads(line) for line in words("CMD")] == [config["Cmd"]]
    [label] = words("LABEL")
    assert dict([label.split("=")]).items() <= config["Labels"].items()
    assert f"--from=rust {ROOT} {ROOT}" in words("COPY")
    assert not words("VOLUME") and not words("EXPOSE")


def test_it_needs_no_more_than_the_classic_builder_and_names_no_registry() -> None:
    text = "\n".join(LINES)
    assert not re.search(r"# syntax=|--mount|<<", text), "Docker 20.10 without BuildKit can't read it"
    assert re.findall(r"^ARG \w+=(.*)$", text, re.MULTILINE) == ["debian:bookworm-slim", "rust:1-slim-bookworm"]
