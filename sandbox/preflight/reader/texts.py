"""What a text says by itself: places of credentials, shell lines, addresses, directives, and texts hidden in it."""

from __future__ import annotations

import base64
import binascii
import math
import re
from bisect import bisect_left
from collections.abc import Iterator

MAX_TEXT = 1 << 20
"""Longest literal that is looked into as a whole, in characters; of longer ones the beginning."""

_PIECE, _OVERLAP = 1 << 16, 1 << 10
_CREDENTIALS = (
    r"(?:^|[/\\\s\"'])\.ssh(?:[/\\]|$)|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\.aws(?:[/\\]credentials|$)|"
    r"\.kube(?:[/\\]config|$)|"
    r"\.docker[/\\]config\.json|(?:^|[/\\])[._]netrc$|(?:^|[/\\])\.npmrc$|(?:^|[/\\])\.pypirc$|\.git-credentials|"
    r"(?:^|[/\\])credentials\.toml$|\.cargo[/\\]credentials|\.gnupg|Login Data$|(?:^|[/\\])\.mozilla(?:[/\\]|$)|"
    r"google-chrome|BraveSoftware|"
    r"\btdata\b|wallet\.dat|\.ethereum|\.config[/\\]solana|solana[/\\]id\.json|gh[/\\]hosts\.yml|\.config[/\\]gcloud|"
    r"application_default_credentials|(?:^|[/\\])\.azure[/\\]|/etc/shadow|/proc/(?:self|\d+)/environ|"
    r"\.(?:bash|zsh)_history|[Kk]eychains?[/\\]|\.electrum|\.bitcoin|Exodus[/\\]|MetaMask|"
    r"nkbihfbeogaeaoehlefnkodbefgpgknn|"
    r"/run/secrets|/var/run/secrets|\.vault-token|\.terraform\.d[/\\]cred|\.pgpass"
)
_PERSIST = (
    r"\.(?:bashrc|bash_profile|zshrc|zprofile|zshenv|profile)$|authorized_keys|systemd[/\\]user|LaunchAgents|"
    r"LaunchDaemons|"
    r"/etc/(?:cron|systemd|profile|init\.d|rc\.local|ld\.so\.preload|sudoers)|/var/spool/cron|\.git[/\\]hooks|"
    r"core\.hooksPath|"
    r"\.cargo[/\\]config(?:\.toml)?$|\.config[/\\]autostart|Start Menu[/\\]Programs[/\\]Startup|"
    r"CurrentVersion[/\\]+Run|"
    r"\.github[/\\]workflows|\.vscode[/\\](?:tasks|settings)\.json|registry[/\\]src[/\\]"
)
_BRINGS = r"(?:curl|wget|fetch|iwr|Invoke-WebRequest|DownloadString|base64\s+(?:-d|-D|--decode)|xxd\s+-r)\b"
_RUNS = (
    r"\|\s*(?:sudo\s+)?(?:ba|da|z|k)?sh\b|\|\s*(?:python|perl|ruby|node|iex)|\|\s*sudo\b|IEX\b|Invoke-Expression|"
    r"(?:&&|;)\s*(?:ba|da|z)?sh\s|chmod\s+(?:a?\+x|(?=[0-7]*[1357])[0-7]+)\b"
)
_SHELL = (
    r"/dev/tcp/|\bIEX\s*\(|-[eE]nc(?:odedCommand)?\s+\w|"
    r"\bnc\s+(?:-\w{1,9}\s+){0,9}-e\b|eval\s+[\"']?\$\((?:curl|wget)|(?:ba|z|da)?sh\s+<\(\s*(?:curl|wget)|"
    r"\$\((?:curl|wget)\b[^)]{0,400}\)\s*\|"
)


class _ShellPipe:
    """A shell line that runs what it brings. Each half is looked for by itself, so that the time goes with the length
    of the text: one pattern for both would try all of the second half again after each of the first."""

    _NEAR = 400
    _brings, _runs, _alone = re.compile(_BRINGS), re.compile(f"(?={_RUNS})"), re.compile(_SHELL)

    def search(self, text: str) -> bool:
        """Whether there is one: the second half at most `_NEAR` characters behind the first, in the same line."""
        if self._alone.search(text):
            return True
        runs = [match.start() for match in self._runs.finditer(text)]
        for match in self._brings.finditer(text) if runs else ():
            end = match.end()
            at = bisect_left(runs, end)
            if at < len(runs) and runs[at] - end <= self._NEAR and "\n" not in text[end : runs[at]]:
                return True
        return False


TEXTS: tuple[tuple[str, re.Pattern[str] | _ShellPipe], ...] = (
    ("credential-path", re.compile(_CREDENTIALS)),
    ("dotenv", re.compile(r"(?:^|[/\\])\.env(?:\.local|\.production)?$")),
    ("persist-path", re.compile(_PERSIST)),
    ("shell-pipe", _ShellPipe()),
    ("metadata-address", re.compile(r"169\.254\.169\.254|metadata\.google\.internal|169\.254\.170\.2|fd00:ec2::254")),
    (
        "drop-site",
        re.compile(
            r"api\.telegram\.org|discord(?:app)?\.com/api/webhooks|hooks\.slack\.com|webhook\.site|pastebin\.com|"
            r"hastebin|ngrok(?:-free)?\.(?:io|app)|requestbin|pipedream\.net|\boast\.(?:fun|pro|live|me|site)|"
            r"interact\.sh|"
            r"burpcollaborator|transfer\.sh|\bfile\.io\b|anonfiles|gofile\.io|api\.github\.com/gists|workers\.dev|"
            r"vercel\.app|ingest\.sentry\.io|\.onion\b|ipinfo\.io|ip-api\.com|ipify\.org|ifconfig\.me|icanhazip"
        ),
    ),
    ("container-path", re.compile(r"/\.dockerenv|/proc/(?:self|1)/cgroup|/proc/1/comm|/proc/1/cmdline|/proc/uptime|"
                                  r"/run/\.containerenv|/sys/class/dmi|/proc/sys/kernel/random/boot_id")),
    ("kernel-path", re.compile(r"docker\.sock\b|containerd\.sock\b|/proc/1/root|core_pattern|release_agent|/proc/sysrq|"
                               r"/proc/self/mem\b|/dev/mem\b|/proc/\d+/mem\b|modprobe_path")),
    ("debugger", re.compile(r"^TracerPid|/proc/self/(?:status|wchan|maps)$|IsDebuggerPresent|frida|/usr/bin/strace")),
    ("env-user", re.compile(r"^/etc/(?:hostname|machine-id|passwd)$|^/var/lib/dbus/machine-id$")),
    ("library-path", re.compile(r"^\.?rlib$|\.rlib$")),
    ("temp-path", re.compile(r"^(?:/tmp|/var/tmp|/dev/shm)/[^/]|%TEMP%|AppData\\+Local\\+Temp|^C:\\+Windows\\+Temp")),
    ("home-path", re.compile(r"^~/|^/root(?:/|$)|^/home/[a-z]|^/Users/[A-Za-z]|\$HOME/|%USERPROFILE%\\|%APPDATA%\\")),
    ("compiler-env", re.compile(r"cargo::?rustc-env=(?:LD_(?:PRELOAD|AUDIT)|DYLD_INSERT|RUSTC|RUSTDOC|CARGO=|HOME=)|"
                                r"^LD_(?:PRELOAD|AUDIT)$|^DYLD_INSERT_LIBRARIES$|^RUSTC_(?:WORKSPACE_)?WRAPPER=")),
    ("search-path", re.compile(r"cargo::?rustc-env=(?:LD_LIBRARY_PATH|DYLD_|PATH=)")),
    ("temp-folder", re.compile(r"^(?:/tmp|/var/tmp|/dev/shm)/?$")),
    ("code-text", re.compile(r"\bnet::(?:TcpStream|UdpSocket)|process::Command::new|\benv::vars(?:_os)?\(|"
                             r"\bureq::|\breqwest::")),
    ("link-arg", re.compile(r"^cargo::?rustc-(?:cdylib-|bin-|bins-|tests-|examples-|benches-)?link-arg|"
                            r"^cargo::?rustc-flags=(?!\s*-[lL])")),
    ("publish", re.compile(r"\b(?:cargo|npm)\s+publish\b|\btwine\s+upload\b|\bgem\s+push\b")),
    ("alphabet", re.compile(r"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")),
)  # fmt: skip
_ADDRESS = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.]|-)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}\Z")
_HEX = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{2}){6,}\Z")
_NEEDLES = (
    b"http://", b"https://", b"/tmp/", b"/bin/sh", b"/bin/bash", b"/.ssh", b".ssh/", b"id_rsa", b"powershell",
    b"cmd.exe",
    b"authorized_keys", b".bashrc", b"credentials", b"/etc/passwd", b"chmod +x", b"#!/bin/", b"wscript",
    b"curl -", b"wget ",
    b"api.telegram", b"webhook",
)  # fmt: skip
_MAGIC = (b"\x7fELF\x01", b"\x7fELF\x02", b"\xcf\xfa\xed\xfe", b"\x00asm\x01\x00\x00\x00")
LONG = 512
"""From how many characters on an encoded literal is named."""


def kinds_of(text: str) -> set[str]:
    """All that a text stands for, as plain text."""
    kinds: set[str] = set()
    # In pieces, so that no pattern has more than one of them to go through again and again.
    for start in range(0, min(len(text), MAX_TEXT) or 1, _PIECE):
        piece = text[max(0, start - _OVERLAP) : start + _PIECE]
        kinds.update(kind for kind, pattern in TEXTS if kind not in kinds and pattern.search(piece))
        if any(is_public(match.groups()) for match in _ADDRESS.finditer(piece)):
            kinds.add("raw-address")
    return kinds


def is_public(parts: tuple[str, ...] | tuple[int, ...]) -> bool:
    """Whether four numbers are the address of another machine. Loopback, "any", broadcast, masks and what looks like
    a version number are not."""
    numbers = [int(part) for part in parts]
    if any(part > 255 for part in numbers) or any(len(str(part)) > 1 and str(part)[0] == "0" for part in parts):
        return False
    first = numbers[0]
    return not (first in (0, 127) or first >= 224 or numbers[1:] == [0, 0, 0] or max(numbers) < 25)


def hidden_in(data: bytes) -> str:
    """What is hidden in a literal by base64, hex, reversal or an exclusive or with one byte; empty for nothing.

    Only texts that name places, hosts or programs count, so that no table of numbers is taken for one by chance.
    """
    if len(data) < 6:
        return ""
    data = data[:MAX_TEXT]
    found = encoded_in(data)
    if found or _NAMES.search(data):
        return found
    backwards = data[::-1]
    return _shown(backwards) if _NAMES.search(backwards) else _by_xor(data)


def encoded_in(data: bytes) -> str:
    """The same for base64 and hex alone."""
    for plain in _decoded(data.decode("latin-1")):
        said = telling(plain)
        if said:
            return said
    return ""


def entropy(data: bytes) -> float:
    """Shannon's, in bits per byte."""
    if not data:
        return 0.0
    size = len(data)
    return -sum(count / size * math.log2(count / size) for count in map(data.count, set(data)))


def is_encoded(text: str) -> bool:
    """Whether a long text is base64 or hex (and no word of any language)."""
    return len(text) >= LONG and bool(_HEX.match(text) or (_BASE64.match(text) and entropy(text[:4096].encode()) > 4.5))


def telling(data: bytes) -> str:
    """What bytes that were no text in the source say as text; empty for nothing that matters."""
    if data.startswith(_MAGIC):
        return "an executable"
    if _NAMES.search(data):
        return _shown(data)
    if data.isascii() and any(is_public(match.groups()) for match in _ADDRESS.finditer(data.decode("ascii"))):
        return _shown(data)
    return ""


def _decoded(text: str) -> Iterator[bytes]:
    if _HEX.match(text):
        yield bytes.fromhex(text.removeprefix("0x"))
    if _BASE64.match(text):
        padded = text.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield base64.b64decode(padded + "=" * (-len(padded) % 4))
        except (binascii.Error, ValueError):
            return


def _by_xor(data: bytes) -> str:
    """The differences of neighbours are the same whatever the key is."""
    differences = _differences(data)
    match = _XORED.search(differences)
    if match and match.lastindex:
        at = match.start()
        key = data[at] ^ _NEEDLES[match.lastindex - 1][0]
        # Capital letters differ from small ones by one bit.
        if key not in (0, 0x20):
            return _shown(bytes(byte ^ key for byte in data[max(0, at - 20) : at + 60]))
    return "an executable" if differences.startswith(_XORED_MAGIC) and not data.startswith(_MAGIC) else ""


def _differences(data: bytes) -> bytes:
    size = len(data) - 1
    return (int.from_bytes(data[1:], "big") ^ int.from_bytes(data[:-1], "big")).to_bytes(size, "big")


def _shown(data: bytes) -> str:
    return data[:80].decode("latin-1")


_NAMES = re.compile(b"|".join(map(re.escape, _NEEDLES)), re.IGNORECASE)
_XORED = re.compile(b"|".join(b"(" + re.escape(_differences(needle)) + b")" for needle in _NEEDLES), re.DOTALL)
_XORED_MAGIC = tuple(map(_differences, _MAGIC))
