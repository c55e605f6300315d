"""The Debian part of the image: chosen and downloaded by this machine's own apt, unpacked by mmdebstrap.

So mirror, proxy, credentials and keys are the host's and stay there: mmdebstrap gets a folder of packages whose hashes
apt has from signed lists, no network and no environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from sandbox.builder.recipe import EPOCH
from sandbox.errors import ImageError

# apt takes itself for essential; without it the image has no place where it would look for packages.
_ESSENTIAL = "?and(?essential,?not(?name(^apt$)))"
_CHOSEN = re.compile(r"Inst (\S+) \((\S+) .*")
_FIELDS = ("CREATED_BY", "REPO_URI", "RELEASE", "SUITE", "CODENAME", "ORIGIN", "COMPONENT", "ARCHITECTURE")
_COMPONENTS = ("main", "universe")
_ON_THE_WAY = re.compile(r"backports|proposed|experimental")
_PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Apt:
    """This machine's apt, asked as if nothing were installed. `folder` keeps what it downloads."""

    def __init__(self, folder: Path, env: Mapping[str, str], os_release: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = {**env, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        self._system = os_release
        self._debs = folder / "debs"
        (self._debs / "partial").mkdir(parents=True, exist_ok=True)
        self.arch = self._ask("dpkg", "--print-architecture").strip()

    def choose(self, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Name and version of the essential packages, those named, and all that they depend on, by apt's lists.

        Raises ImageError where apt has no lists of the distribution or can't find a package.
        """
        (self._folder / "sources.list").write_text(self._sources())
        said = self._ask("apt-get", *self._options(), "--simulate", "--yes", "install", _ESSENTIAL, *names)
        chosen = [match for match in map(_CHOSEN.fullmatch, said.splitlines()) if match]
        return tuple(sorted((match[1], match[2]) for match in chosen))

    def update(self) -> None:
        """Bring apt's lists up to date. Raises ImageError."""
        self._ask(*as_root(), "apt-get", "update", "-q")

    def download(self, names: Sequence[str], packages: Sequence[tuple[str, str]]) -> str:
        """Fetch what `choose` gave for `names`. Returns the source, as in sources.list, of a folder with all of it."""
        self._ask("apt-get", *self._options(), "--yes", "--download-only", "install", _ESSENTIAL, *names)
        asked = [f"{name}={version}" for name, version in packages]
        listed = local_list(self._ask("apt-cache", *self._options(), "show", *asked))
        for path in self._debs.glob("*.deb"):
            # Of other lists' packages the files stay.
            if path.name.partition("_")[0] in dict(packages) and path.name not in listed:
                path.unlink()
        (self._debs / "Packages").write_text("\n".join(listed.values()))
        # That the lists were signed apt has seen when it fetched them; their hashes stand in this one.
        return f"deb [trusted=yes arch={self.arch}] copy:{quote(str(self._debs))} ./"

    def _sources(self) -> str:
        """The distribution's own sources among apt's: those of its release, without what is not part of it yet."""
        own = {self._system.get("ID", ""), *self._system.get("ID_LIKE", "").split()} - {""}
        release = self._system.get("VERSION_CODENAME", "")
        form = "\t".join(f"$({name})" for name in _FIELDS)
        lines = []
        for line in self._ask("apt-get", "indextargets", "--format", form).splitlines():
            found = dict(zip(_FIELDS, line.split("\t"), strict=True))
            if (
                found["CREATED_BY"] == "Packages"
                and found["ARCHITECTURE"] == self.arch
                and found["ORIGIN"].lower() in own
                and found["COMPONENT"] in _COMPONENTS
                and re.fullmatch(rf"{re.escape(release)}(-updates|-security)?", found["CODENAME"])
                and not _ON_THE_WAY.search(f"{found['RELEASE']} {found['SUITE']}")
            ):
                lines.append(f"deb [arch={self.arch}] {found['REPO_URI']} {found['RELEASE']} {found['COMPONENT']}\n")
        if not lines or not release:
            raise ImageError(
                "apt has no lists of this system's own release",
                why=f"release {release or 'without a name'} of {' or '.join(sorted(own)) or 'an unknown system'}",
                fix="apt-get update; on a system without apt use images/builder/Dockerfile or another --image",
            )
        return "".join(lines)

    def _options(self) -> list[str]:
        """What makes apt forget this machine's packages, pins and habits, and leave its caches alone."""
        settings = {
            "Dir::State::status": "/dev/null",
            "Dir::State::extended_states": "/dev/null",
            "Dir::Etc::SourceList": self._folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::Cache::archives": self._debs,
            "Dir::Cache::pkgcache": self._folder / "pkgcache.bin",
            "Dir::Cache::srcpkgcache": self._folder / "srcpkgcache.bin",
            "Debug::NoLocking": "true",
            "APT::Default-Release": "",
            "APT::Install-Recommends": "false",
            "APT::Install-Suggests": "false",
            "APT::Get::AllowUnauthenticated": "false",
        }
        return ["-q", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]

    def _ask(self, *command: str) -> str:
        """What a program prints. Raises ImageError with its last words."""
        program = command[1] if command[0] == "sudo" else command[0]
        try:
            done = subprocess.run(command, env=self._env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True)
        except OSError as error:
            raise _missing(program) from error
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace").strip()
            raise ImageError(f"{program} could not do its part", why=words[-1000:])
        return done.stdout.decode("utf-8", "replace")


def local_list(shown: str) -> dict[str, str]:
    """The paragraphs that `apt-cache show` prints (deb-control(5)), changed for a folder that holds the files itself,
    by the names that apt gives to downloaded files."""
    found = {}
    for text in filter(None, shown.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and line[0] != " ")
        file = f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}_{fields['Architecture']}.deb"
        found[file] = re.sub(r"(?m)^Filename: .*$", f"Filename: ./{file}", text.strip("\n")) + "\n"
    return found


@contextmanager
def new_system(source: str, names: Sequence[str], arch: str, scratch: Path) -> Iterator[IO[bytes]]:
    """The tar stream of a fresh system with the packages of `source` (see `Apt.download`).

    Raises ImageError when mmdebstrap is missing or fails.
    """
    if not shutil.which("mmdebstrap", path=_PROGRAM_PATH):
        raise _missing("mmdebstrap")
    clean = (f"PATH={_PROGRAM_PATH}", f"TMPDIR={scratch}", f"SOURCE_DATE_EPOCH={EPOCH}", "LC_ALL=C.UTF-8")
    command = [*as_root(), "env", "-i", *clean, "unshare", "--net", "mmdebstrap"]
    command += ["--mode=root", "--variant=essential", "--format=tar", f"--architectures={arch}"]
    command += ['--aptopt=Acquire::Languages "none"', f"--include={' '.join(names)}", "", "-", source]
    log = scratch / "mmdebstrap.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        # When the reader gives up, the closed pipe ends it.
        yield process.stdout
        while process.stdout.read(1 << 20):
            pass
    if process.returncode != 0:
        words = log.read_text("utf-8", "replace").strip()
        raise ImageError("mmdebstrap could not make the system", why=words[-1000:])


def as_root() -> tuple[str, ...]:
    """What to put before a command that only root may give. Raises ImageError."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo"):
        return ("sudo",)
    raise ImageError("this needs root or sudo", fix="only root can unpack packages; run it as root")


def _missing(program: str) -> ImageError:
    return ImageError(
        f"{program} is missing",
        fix="apt install mmdebstrap; on a system without apt use images/builder/Dockerfile or another --image",
    )
