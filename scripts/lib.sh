# Shared by scripts/demo and scripts/test; to be sourced by bash. Everything made here lies below $CS_CACHE.

CS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CS_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/cargo-sandbox-dev
export PYTHONPYCACHEPREFIX=$CS_CACHE/pycache PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '\n==> %s\n' "$*" >&2; }
warn() { printf 'WARNING: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Of this checkout: cargo takes one checkout's later build of the same crate for a fresh build of another's.
checkout_key() { printf '%s' "$CS_ROOT" | sha256sum | cut -c 1-16; }

# In CI a thing that can't run is a failure; elsewhere it is said loudly and left out.
cannot() {
    [ "${CI:-}" = true ] && die "$*"
    warn "NOT RUN: $*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root or sudo: $*"
    fi
}

apt_install() {
    command -v apt-get >/dev/null || die "please install: $* (apt-get is not here to do it)"
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2 && return
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

# need COMMAND=PACKAGE...: installs the packages whose command is missing, in one go.
need() {
    local pair missing=()
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    # The compiler may be here without the C library's headers and start files.
    cc -x c -o /dev/null -include stdio.h - 2>/dev/null <<<'int main(void) { return 0; }' || apt_install gcc libc6-dev
}

# need_libraries PKG_CONFIG_NAME=PACKAGE...: what real crates link with.
need_libraries() {
    local pair missing=()
    for pair in "$@"; do
        pkg-config --exists "${pair%%=*}" || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

# want PACKAGE...: installs what the distribution has; its tests say that they did not run where it has not.
want() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null && continue
        apt-cache show "$name" >/dev/null 2>&1 || as_root apt-get update -q >&2 || true
        if apt-cache show "$name" >/dev/null 2>&1; then
            apt_install "$name"
        else
            cannot "what needs $name: there is no such package"
        fi
    done
}

need_cargo() {
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null || die "cargo is missing: install Rust (rustup, or apt install cargo) and try again"
}

# The containers need user namespaces; some systems forbid them to ordinary users.
need_user_namespaces() {
    bwrap --unshare-user --ro-bind / / true 2>/dev/null && return
    bwrap --unshare-user --ro-bind / / true || true
    die "bubblewrap can't make a user namespace here; as root, allow it:
  Ubuntu: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
  Debian: sysctl -w kernel.unprivileged_userns_clone=1"
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    die "Python 3.11 or newer is missing"
}

# What an editable install takes a copy of; a change of other Python files needs no new one.
installed_state() {
    cd "$CS_ROOT" && find pyproject.toml hatch_build.py sandbox/__init__.py sandbox/guard -type f \
        ! -name '*.pyc' -exec sha256sum {} + | sort
}

# Sets PATH to a virtual environment with this checkout installed in it (editable, with the dev extra).
enter_venv() {
    local python key venv state
    python=$(find_python)
    key=$(printf '%s\n' "$CS_ROOT" "$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')" | sha256sum)
    venv=$CS_CACHE/venv-${key:0:16}
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        say "making a virtual environment in $venv"
        rm -rf "$venv"
        mkdir -p "$CS_CACHE"
        if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
            apt_install python3-venv
            rm -rf "$venv"
            "$python" -m venv "$venv"
        fi
    fi
    state=$(installed_state)
    if [ "$(cat "$venv/installed" 2>/dev/null)" != "$state" ] || [ ! -x "$CS_ROOT/sandbox/guard/bin/guard" ]; then
        say "installing this checkout (compiles the guard)"
        rm -f "$venv/installed"
        "$venv/bin/python" -m pip install -q -e "$CS_ROOT[dev]" >&2
        (installed_state) >"$venv/installed"
    fi
    export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH
}

# Starts a docker daemon if none answers and we may; ends with the script what it started.
start_docker() {
    docker version >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null || return 1
    say "starting dockerd"
    mkdir -p "$CS_CACHE"
    dockerd >"$CS_CACHE/dockerd.log" 2>&1 &
    CS_DOCKERD=$!
    # Under `set -e` a failing command of the trap would replace the script's own exit code.
    trap '{ kill "$CS_DOCKERD" && wait "$CS_DOCKERD"; } 2>/dev/null || true' EXIT
    for _ in $(seq 60); do
        docker version >/dev/null 2>&1 && return
        kill -0 "$CS_DOCKERD" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 5 "$CS_CACHE/dockerd.log" >&2
    return 1
}
