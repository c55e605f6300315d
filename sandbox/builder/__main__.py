"""`python -m sandbox.builder`, and what scripts/build-image ends in."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.builder import toolchain
from sandbox.builder.make import Made, Wanted, make
from sandbox.builder.recipe import MANIFEST, TOOLCHAIN_LABEL, parse, tags
from sandbox.engine.docker_daemon import connect
from sandbox.engine.docker_image import BUILDER, MANIFEST_LABEL
from sandbox.errors import ImageError, SandboxError
from sandbox.resources import image
from sandbox.run.host import directories


def main(argv: Sequence[str]) -> int:
    """Make the image, or say why not. Returns 0, or the failure's exit code."""
    arguments = _arguments().parse_args(argv)
    env = dict(os.environ)
    try:
        made = _make(arguments, env)
    except SandboxError as error:
        from sandbox.cli.main import say

        say(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    _report(arguments.name, made)
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build-image",
        description="Make the image that `cargo-sandbox --image builder` builds in, from this machine's apt sources "
        "and Rust toolchain, and give it to the local Docker daemon. Nothing is done where it is there already.",
        allow_abbrev=False,
    )
    parser.add_argument("--name", default=BUILDER, help="what to call it; only %(default)s is found by that word")
    parser.add_argument("--packages", type=Path, default=image("builder/packages.txt"), help="another package list")
    parser.add_argument(
        "--toolchain", type=Path, metavar="DIR", help="the sysroot to copy [that of cargo outside of any project]"
    )
    parser.add_argument("--again", action="store_true", help="make it anew, even if it is there")
    return parser


def _make(arguments: argparse.Namespace, env: dict[str, str]) -> Made:
    import requests
    from docker.errors import DockerException

    try:
        text = arguments.packages.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ImageError("the list of packages can't be read", why=str(error)) from error
    names = tuple(name for group in parse(text) for name in group.names)
    api, _ = connect(env, env.get("HOME", "/"))
    root = arguments.toolchain or toolchain.active(env)
    tools = toolchain.read(root.resolve()) if root else None
    folder = Path(directories(env)[1], "builder")
    try:
        return make(api, Wanted(arguments.name, names, tools, arguments.again), folder, env)
    except (DockerException, requests.RequestException) as error:
        words = str(getattr(error, "explanation", None) or error)
        raise ImageError("the Docker daemon did not take the image", why=words[:500]) from error
    except OSError as error:
        raise ImageError("the image can't be made", why=str(error)) from error


def _report(name: str, made: Made) -> None:
    labels = made.image["Config"]["Labels"]
    tag, _ = tags(name, made.recipe.key())
    print(f"{tag} {'is up to date' if made.cached else 'is made'}")
    print(f"  digest     {made.image['Id']}")
    if made.before:
        same = made.before == made.image["Id"]
        print(f"             {'the same as' if same else 'NOT that of'} the image that was there: {made.before}")
    print(f"  size       {made.image['Size'] / 1e9:.2f} GB")
    print(f"  packages   {len(made.recipe.packages)}, in {MANIFEST} {labels[MANIFEST_LABEL]}")
    print(f"  toolchain  {labels.get(TOOLCHAIN_LABEL, 'the packages cargo and rustc')}")
    if name == BUILDER:
        print("  use it     cargo-sandbox --image builder build")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
