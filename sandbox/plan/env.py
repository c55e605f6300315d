"""The build's environment: an allow-list, because a deny-list of secrets is never complete."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# SHELL is not among them: a script that starts programs by it would behave otherwise for each developer and in CI.
_NAMES = frozenset(
    "LANG LANGUAGE TZ TERM COLORTERM TERM_PROGRAM NO_COLOR CLICOLOR CLICOLOR_FORCE FORCE_COLOR COLUMNS LINES "
    "RUSTFLAGS RUSTDOCFLAGS RUST_BACKTRACE RUST_LIB_BACKTRACE RUST_LOG RUST_MIN_STACK RUST_TEST_THREADS "
    "RUST_TEST_NOCAPTURE RUSTC_BOOTSTRAP RUSTC_LOG RUSTC_FORCE_INCREMENTAL RUSTUP_TOOLCHAIN "
    "CC CXX AR AS LD NM RANLIB STRIP CPP FC CFLAGS CXXFLAGS CPPFLAGS LDFLAGS ARFLAGS CXXSTDLIB CRATE_CC_NO_DEFAULTS "
    "HOST_CC HOST_CXX HOST_AR HOST_CFLAGS HOST_CXXFLAGS TARGET_CC TARGET_CXX TARGET_AR TARGET_CFLAGS TARGET_CXXFLAGS "
    "CMAKE CMAKE_GENERATOR CMAKE_BUILD_PARALLEL_LEVEL NUM_JOBS SOURCE_DATE_EPOCH "
    "LIBCLANG_PATH LLVM_CONFIG_PATH CLANG_PATH BINDGEN_EXTRA_CLANG_ARGS "
    "PROTOC PROTOC_INCLUDE OPENSSL_DIR OPENSSL_LIB_DIR OPENSSL_INCLUDE_DIR OPENSSL_STATIC OPENSSL_NO_VENDOR "
    "PKG_CONFIG CI GITHUB_ACTIONS GITLAB_CI LD_LIBRARY_PATH NIX_CC NIX_CFLAGS_COMPILE NIX_LDFLAGS".split()
)
_PATTERNS = re.compile(
    r"""(?x)^(?:
    LC_[A-Z]+
    | CARGO_(?:BUILD|PROFILE|TERM|TARGET|INCREMENTAL|ENCODED|CFG|UNSTABLE|ALIAS|FUTURE|CACHE|RESOLVER)(?:_\w+)?
    | CARGO_(?:LOG|NET_OFFLINE|NET_RETRY|MANIFEST_DIR)
    | (?:CC|CXX|AR|AS|RANLIB|CFLAGS|CXXFLAGS|LDFLAGS|PKG_CONFIG)_\w+
    | PKG_CONFIG_\w+
    | CMAKE_\w+
    | (?:HOST|TARGET)_PKG_CONFIG\w*
    | \w+_(?:NO_PKG_CONFIG|STATIC|USE_PKG_CONFIG|INCLUDE_DIR|LIB_DIR)
    | RUSTC_\w*LOG\w* | LLVM_\w+ | CLIPPY_\w+ | PROPTEST_\w+ | INSTA_\w+
    )$"""
)
_SECRET = re.compile(r"(?i)(token|secret|passw|credential|private|apikey|api_key|access_key|auth|cookie|session)")
# Ours to set: the caller's values would undo a wall or point outside.
_OURS = frozenset(
    "CARGO_BUILD_BUILD_DIR CARGO_BUILD_RUSTC_WRAPPER CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTC "
    "CARGO_BUILD_RUSTDOC RUSTC_WRAPPER RUSTC RUSTDOC CARGO_NET_OFFLINE".split()
)


def looks_secret(name: str) -> bool:
    """Whether a variable's name speaks of a secret."""
    return _SECRET.search(name) is not None


def allowed(name: str) -> bool:
    """Whether a variable of this name passes without being asked for."""
    if name in _OURS or looks_secret(name):
        return False
    return name in _NAMES or _PATTERNS.match(name) is not None


def select(env: Mapping[str, str], extra: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Split an environment into what the build gets and the names withheld from it.

    `extra` are names the user allowed by hand (`--allow-env`); a trailing `*` is a prefix.
    """
    chosen = set(by_hand(env, extra))
    kept: dict[str, str] = {}
    withheld: list[str] = []
    for name, value in env.items():
        if "\0" not in value and (name in chosen or allowed(name)):
            kept[name] = value
        else:
            withheld.append(name)
    return kept, tuple(sorted(withheld))


def by_hand(env: Iterable[str], extra: Iterable[str]) -> tuple[str, ...]:
    """The names in `env` that pass only because the user said so, in order."""
    patterns = tuple(extra)
    prefixes = tuple(name[:-1] for name in patterns if name.endswith("*"))
    return tuple(sorted(n for n in env if not allowed(n) and (n in patterns or n.startswith(prefixes))))
