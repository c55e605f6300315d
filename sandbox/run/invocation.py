"""From a command line to a checked plan: toolchain, workspace, configuration, resolve, facts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.cargo import args as cargo_args
from sandbox.cargo import config as cargo_config
from sandbox.cargo import toolchain, workspace
from sandbox.cargo.args import CargoArgs
from sandbox.cargo.config import CargoConfig
from sandbox.cargo.homes import cargo_home as find_cargo_home
from sandbox.cargo.metadata import Facts
from sandbox.cargo.subset import command_line_subset, safe_subset, to_toml
from sandbox.cargo.workspace import Workspace
from sandbox.cli.options import Settings
from sandbox.engine.protocol import Engine
from sandbox.errors import SetupError, UsageError, WorkspaceError
from sandbox.guard import guard
from sandbox.plan import seccomp
from sandbox.plan.build import build_plan, role_settings
from sandbox.plan.check import check
from sandbox.plan.facts import BuildFacts, HostFacts, Policy, RuntimeFacts, ToolFacts
from sandbox.plan.model import Limits, Plan, Stdio
from sandbox.plan.resolve import resolve_plan
from sandbox.plan.runtime import fit
from sandbox.plan.secrets import is_within
from sandbox.record import record, replace
from sandbox.run import dotenv, host, target, test_hooks
from sandbox.run.ownership import check_readable, open_packages
from sandbox.run.prepared import home_config_files, prepare, standard_files
from sandbox.run.resolve import Request, ToolIdentity, identify, resolve

if TYPE_CHECKING:
    from sandbox.doctor.tier import Standing
    from sandbox.policy.model import ProjectPolicy

_PROGRAM_VERBS = frozenset(("run", "test", "bench"))
_CARGO_HOME_ENTRIES = ("registry", "git", "config.toml", "config", "bin")
_NEWEST_WITHOUT_BUILD_DIR = (1, 90)


@record
class Invocation:
    """A planned run."""

    args: CargoArgs
    plan: Plan
    facts: Facts
    host: HostFacts
    tool: ToolFacts
    identity: ToolIdentity
    cargo_home: str
    workspace: str
    lock_file: str
    project: ProjectPolicy | None = None

    def show_programs(self) -> None:
        """Let tests find the workspace's programs beside themselves; the build dir must be ours by now."""
        if self.args.verb in ("test", "bench"):
            plan, names = self.plan, self.facts.binaries
            owner = plan.uid, plan.gid
            target.show_programs(
                plan.build_dir, plan.target_dir, _profile_dir(self.args), self.args.targets, names, owner
            )

    @property
    def json_messages(self) -> bool:
        """Whether cargo's standard output is a stream of JSON messages."""
        return any("json" in value for value in self.args.message_format)

    def header(self, engine: Engine, standing: Standing) -> dict[str, Any]:
        """What `run.json` says of this run."""
        from sandbox import __version__

        system = os.uname()
        return {
            "argv": ["cargo-sandbox", self.args.verb, *self.args.rest],
            "cwd": os.getcwd(),
            "workspace": self.workspace,
            "plan_digest": self.plan.digest(),
            **({"policy": self.project.header()} if self.project else {}),
            "tier": standing.to_json(),
            "host": self.identity.host,
            "versions": {
                "cargo-sandbox": __version__,
                "python": ".".join(map(str, sys.version_info[:3])),
                "cargo": self.identity.cargo,
                "rustc": self.identity.rustc,
                "kernel": system.release,
                "machine": system.machine,
                "engine": f"{engine.info.name} {engine.info.version}".strip(),
                "engine_reason": engine.info.why,
                "image": engine.info.image,
                "runtime": self.plan.runtime,
                "image_manifest": engine.info.image_manifest,
                "guard": self.plan.guard_digest,
            },
        }


@record
class Ground:
    """Where a command was given: found by reading files of the tree, before anything is decided or run."""

    args: CargoArgs
    env: dict[str, str]
    cwd: str
    cargo_home: str
    tree: Workspace
    config: CargoConfig

    @property
    def root(self) -> str:
        """The workspace's root directory."""
        return str(self.tree.root)


def find_ground(words: Sequence[str]) -> Ground:
    """Look for the workspace of a command line. Raises UsageError, WorkspaceError."""
    args = cargo_args.split(words)
    _refuse_what_writes_sources(args)
    env = dict(os.environ)
    cwd = os.path.realpath(os.path.join(_working_directory(), args.directory or ""))
    cargo_home = os.path.realpath(find_cargo_home(env, Path(cwd)))
    config = cargo_config.load(Path(cwd), Path(cargo_home), args.config)
    tree = workspace.discover(Path(cwd), args.manifest_path, env, config=config, lockfile_path=args.lockfile_path)
    return Ground(args, env, cwd, cargo_home, tree, config)


@record
class _Place:
    """Where a command was given, and what was found there."""

    args: CargoArgs
    env: dict[str, str]
    cwd: str
    cargo_home: str
    state_dir: str
    cache_dir: str
    host: HostFacts
    tool: ToolFacts
    tree: Workspace
    config: CargoConfig
    policy: Policy


def print_help(words: Sequence[str], settings: Settings, engine: Engine, choose_stdio: Callable[[bool], Stdio]) -> int:
    """Show cargo's own help for a verb, from a container that sees no project. Returns cargo's exit code."""
    from sandbox.run.capture import capture

    done = capture(engine, outside_projects(words, settings, engine, choose_stdio), lambda line: None)
    sys.stdout.write(done.out.decode("utf-8", "replace"))
    sys.stderr.write(done.err.decode("utf-8", "replace"))
    return done.status if done.status >= 0 else 128 - done.status


def outside_projects(
    words: Sequence[str],
    settings: Settings,
    engine: Engine,
    choose_stdio: Callable[[bool], Stdio],
    *,
    command: tuple[str, ...] = (),
    writes: str = "",
) -> Plan:
    """The plan of a command in a container that sees no project: by default cargo's help for the verb of `words`,
    without network; another `command` has network, and may write into the folder `writes` alone."""
    args = cargo_args.split(words)
    env = dict(os.environ)
    state_dir, cache_dir = host.directories(env)
    binary = guard.find(env)
    facts = host.host_facts(env, str(binary), guard.digest(binary, cache_dir), state_dir)
    facts = host.in_image(facts, engine.info.image)
    tool, _ = _find_tool(args, env, Path("/"), engine, facts, cache_dir)
    policy = _policy(settings, facts, choose_stdio(False), ())
    prepared = prepare(cache_dir, standard_files(facts.user, facts.uid, facts.gid, facts.home), (facts.uid, facts.gid))
    plan = resolve_plan(
        facts, tool, policy, command=command or (tool.cargo, args.verb, "--help"), roots=(), files=(), overlay="",
        workspace="", cargo_home=writes, prepared=prepared, offline=not command,
    )  # fmt: skip
    return check(plan, facts.homes, prepared)


def prepare_invocation(
    words: Sequence[str],
    settings: Settings,
    engine: Engine,
    choose_stdio: Callable[[bool], Stdio],
    *,
    create: bool = True,
    runtime: RuntimeFacts | None = None,
    ground: Ground | None = None,
    project: ProjectPolicy | None = None,
) -> Invocation:
    """Everything up to the plan; only cargo itself has run by then, in the resolve container.

    Without `create` a missing target dir is not made, so the plan can be looked at and not run. `runtime` is the
    engine's named one, if one was named. `ground` saves looking for it again; `project` is what files of policy decided
    beside the settings. Raises SandboxError.
    """
    ground = ground or find_ground(words)
    args = ground.args
    given = fit(runtime)
    place = _look_around(ground, settings, engine, choose_stdio, runtime)
    owner = place.host.uid, place.host.gid
    common = standard_files(place.host.user, place.host.uid, place.host.gid, place.host.home)
    prepared = prepare(place.cache_dir, common, owner)
    identity = identify(engine, place.host, place.tool, place.policy, prepared, place.cache_dir)
    facts = _resolve(engine, place, identity, common)
    if project is not None and project.allowances:
        place = replace(place, policy=_with_allowances(place.policy, project, facts))
    build = _build_facts(place, facts, identity, create)
    if build.programs and place.policy.allow_write:
        place = replace(place, policy=_without_sources(place.policy, build.target_dir))
    files = common | {"roles": role_settings(build, place.tool, place.policy, given)}
    files |= home_config_files(place.cargo_home)
    build = replace(build, prepared=prepare(place.cache_dir, files, owner))
    calls = seccomp.load(level=place.policy.seccomp, alone=given.alone)
    plan = build_plan(place.host, place.tool, build, place.policy, calls.digest)
    check(plan, place.host.homes, build.prepared)
    shown = tuple(mount.source for mount in plan.mounts if mount.kind == "ro")
    folders = (folder for _, _, _, folder in build.owners)
    open_packages(place.cargo_home, folders, place.cache_dir, place.host.uid)
    check_readable(shown, tuple(path for path, *_ in build.owners), *owner)
    plan = test_hooks.without_walls(plan, place.env)
    root, lock_file = str(place.tree.root), str(place.tree.lock_file)
    return Invocation(args, plan, facts, place.host, place.tool, identity, place.cargo_home, root, lock_file, project)


def _with_allowances(policy: Policy, project: ProjectPolicy, facts: Facts) -> Policy:
    from datetime import date

    from sandbox.policy.apply import walls

    env, write = walls(project, facts, date.today())
    return replace(policy, allow_env=(*policy.allow_env, *env), allow_write=(*policy.allow_write, *write))


def _without_sources(policy: Policy, target_dir: str) -> Policy:
    """The policy where programs of the user's are started: no domain holds those, so sources are opened to nobody."""
    kept = tuple(one for one in policy.allow_write if is_within(os.path.realpath(one[1]), target_dir))
    return replace(policy, allow_write=kept)


def _look_around(
    ground: Ground,
    settings: Settings,
    engine: Engine,
    choose_stdio: Callable[[bool], Stdio],
    runtime: RuntimeFacts | None,
) -> _Place:
    args, env, cwd, tree = ground.args, ground.env, ground.cwd, ground.tree
    state_dir, cache_dir = host.directories(env)
    binary = guard.find(env)
    facts = host.host_facts(env, str(binary), guard.digest(binary, cache_dir), state_dir)
    facts = host.in_runtime(host.in_image(facts, engine.info.image), runtime)
    tool, extra_roots = _find_tool(args, env, Path(cwd), engine, facts, cache_dir)
    _see_that_they_are_there(settings.allow_read)
    facts = host.given_to(facts, *test_hooks.owner(engine.owner(str(tree.root)), env))
    policy = _policy(settings, facts, choose_stdio(args.verb in _PROGRAM_VERBS), extra_roots)
    return _Place(args, env, cwd, ground.cargo_home, state_dir, cache_dir, facts, tool, tree, ground.config, policy)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise WorkspaceError(
            f"the working directory can't be used: {error.strerror}", hint="it may have been removed: cd to another one"
        ) from error


def _see_that_they_are_there(shown: Sequence[str]) -> None:
    for path in shown:
        if not os.path.exists(path):
            raise UsageError(f"--allow-read {path}: there is no such directory", hint="name one that exists")


def _find_tool(
    args: CargoArgs, env: dict[str, str], cwd: Path, engine: Engine, facts: HostFacts, cache_dir: str
) -> tuple[ToolFacts, tuple[str, ...]]:
    """The toolchain, this machine's or the image's, and further directories that it needs to be shown."""
    if engine.info.image:
        from sandbox.run.image import find_toolchain

        return find_toolchain(engine, facts, args.toolchain, cache_dir), ()
    chain = toolchain.find(args.toolchain, env, cwd)
    tool = ToolFacts(
        cargo=str(chain.cargo),
        rustc=str(chain.rustc),
        rustdoc=str(chain.rustdoc),
        clippy_driver=str(chain.clippy_driver or ""),
        root=str(chain.root),
        name=chain.name,
    )
    return tool, tuple(map(str, chain.extra_roots))


def _policy(settings: Settings, facts: HostFacts, stdio: Stdio, extra_roots: tuple[str, ...]) -> Policy:
    base = Limits()

    def given(value: Any, default: Any) -> Any:
        return default if value is None else value

    limits = Limits(
        wall_s=given(settings.time_limit_s, base.wall_s),
        memory_bytes=given(settings.memory_limit, facts.memory_bytes * 9 // 10),
        processes=given(settings.process_limit, base.processes),
        free_disk_bytes=given(settings.min_free_disk, base.free_disk_bytes),
        tmp_bytes=given(settings.tmp_size, 0),
        cpus=settings.cpu_limit,
    )
    return Policy(
        allow_env=settings.allow_env,
        allow_read=(*settings.allow_read, *extra_roots),
        allow_dotenv=settings.allow_dotenv,
        allow_write=settings.allow_write,
        limits=limits,
        strict=settings.strict,
        seccomp=settings.seccomp,
        stdio=stdio,
        removed_walls=test_hooks.removed_walls(facts.env),
    )


def _resolve(engine: Engine, place: _Place, identity: ToolIdentity, common: dict[str, bytes]) -> Facts:
    args, tree = place.args, place.tree
    from_tree, from_user = safe_subset(place.config), command_line_subset(place.config)
    configs = {
        name: to_toml(subset.values).encode()
        for name, subset in (("tree-config.toml", from_tree), ("command-line-config.toml", from_user))
        if subset.values
    }
    platforms = [identity.host, *(args.targets or place.config.build_targets(place.env))]
    triples = [identity.host if name == "host-tuple" else name for name in platforms if not name.endswith(".json")]
    request = Request(
        manifest=str(tree.manifest),
        workspace=str(tree.root),
        lock_file=str(tree.lock_file),
        command=_as_cargo_gets_it(args, place.tool)[0].asking_for_help(place.tool.cargo),
        roots=_roots(place),
        files=tuple(map(str, tree.ancestors)),
        layout=tuple(os.path.dirname(path) for path in tree.manifests),
        stamps=(*map(str, tree.manifests), *map(str, place.config.files), f"{place.cargo_home}/registry"),
        platforms=tuple(dict.fromkeys(name for name in triples if name)),
        cargo_home=place.cargo_home,
        prepared=prepare(place.cache_dir, common | configs, (place.host.uid, place.host.gid)),
        locked=args.locked or args.frozen,
        offline=args.offline or args.frozen or place.env.get("CARGO_NET_OFFLINE") == "true",
        quiet=args.quiet,
        dropped=(*from_tree.dropped, *from_user.dropped),
        configs=tuple(configs),
    )
    return resolve(engine, place.host, place.tool, place.policy, request, place.cache_dir)


def _roots(place: _Place) -> tuple[str, ...]:
    """Directories to show read-only: the workspace first, then path dependencies, overrides and vendored sources."""
    found = [str(place.tree.root), *map(str, place.tree.path_roots)]
    return tuple(dict.fromkeys(os.path.normpath(path) for path in found if os.path.isdir(path)))


def _build_facts(place: _Place, facts: Facts, identity: ToolIdentity, create: bool) -> BuildFacts:
    args, config, tool = place.args, place.config, place.tool
    workspace_root = str(place.tree.root)
    wanted, by_user = _wanted_target(place)
    without_build_dir = identity.cargo_version() <= _NEWEST_WITHOUT_BUILD_DIR
    if without_build_dir and args.target_dir:
        raise SetupError(
            "this cargo can't keep intermediates apart from a --target-dir",
            wall="other crates' outputs",
            why="build.build-dir came with cargo 1.91",
            fix="leave out --target-dir (artifacts are below target/.cargo-sandbox/build) or update the toolchain",
        )
    owner = place.host.uid, place.host.gid
    real_target = target.open_target(wanted, workspace_root, place.host.homes, place.cargo_home, by_user, owner, create)
    target.keep_away(real_target, (place.state_dir, place.cache_dir))
    opened: tuple[str, ...] = ()
    if place.policy.allow_write:
        from sandbox.run.opened import Sources, open_sources

        packages = {(package.directory, package.source is None) for package in facts.packages}
        own = place.cargo_home, place.state_dir, place.cache_dir
        sources = Sources(workspace_root, real_target, packages, own)
        confined = fit(place.host.runtime).landlock
        opened = open_sources(place.policy.allow_write, sources, owner, confined)
    programs = args.verb in _PROGRAM_VERBS
    apart = host_runtime.name if (host_runtime := place.host.runtime) and fit(host_runtime).missing else ""
    build_dir = target.build_dir(real_target, owner, create, bool(place.host.image), apart)
    roots = _roots(place)
    changed, workspace_wrapper, env = _as_cargo_gets_it(args, tool)
    settings = [f"build.build-dir={_toml_string(build_dir)}"]
    if without_build_dir:
        # Cargo before 1.91 knows no build-dir: the whole target dir moves into ours, and artifacts land there.
        settings = []
        env["CARGO_TARGET_DIR"] = build_dir
    elif "CARGO_TARGET_DIR" in place.env:
        env["CARGO_TARGET_DIR"] = place.env["CARGO_TARGET_DIR"]
    elif not args.target_dir:
        settings.append(f"build.target-dir={_toml_string(wanted)}")
    wrapper = config.rustc_wrapper(place.env)
    return BuildFacts(
        command=tuple(changed.command(tool.cargo, config=settings)),
        # Cargo goes to `-C DIR` itself, as it does without us.
        cwd=_working_directory() if args.directory else place.cwd,
        roots=roots,
        files=tuple(dict.fromkeys([*map(str, place.tree.ancestors), *_config_files(place)])),
        masked=dotenv.find(
            tuple(roots[:1]) + tuple(r for r in roots[1:] if not is_within(r, roots[0])), (real_target,)
        ),
        target_dir=real_target,
        build_dir=build_dir,
        cargo_home=place.cargo_home,
        cargo_home_entries=tuple(
            name for name in _CARGO_HOME_ENTRIES if os.path.exists(os.path.join(place.cargo_home, name))
        ),
        prepared="",
        scripts=facts.scripts,
        dylibs=facts.dylibs,
        owners=tuple((path, owner.name, owner.version, owner.directory) for path, owner in facts.owners),
        inner_wrapper=str(wrapper.value) if wrapper else "",
        workspace_wrapper=workspace_wrapper,
        programs=programs,
        links=_links(wanted, real_target, workspace_root),
        extra_env=tuple(sorted(env.items())),
        hidden=target.other_build_dirs(build_dir) if apart else (),
        opened=() if programs else opened,
    )


def _config_files(place: _Place) -> list[str]:
    """Configuration files of the tree that lie outside what is shown anyway; those of cargo's home come with it."""
    return [str(path) for path in place.config.files if not is_within(str(path), place.cargo_home)]


def _wanted_target(place: _Place) -> tuple[str, bool]:
    """The target dir, and whether the user named it rather than a file of the tree."""
    if place.args.target_dir:
        return os.path.normpath(os.path.join(place.cwd, place.args.target_dir)), True
    configured = place.config.target_dir(place.env)
    if configured is not None:
        return os.path.normpath(configured.path()), configured.origin.trusted
    return os.path.join(str(place.tree.root), "target"), False


def _links(wanted: str, real: str, workspace_root: str) -> tuple[tuple[str, str], ...]:
    """A target dir that is reached by a symlink outside the tree needs that link inside as well."""
    return () if wanted == real or is_within(wanted, workspace_root) else ((wanted, real),)


def _as_cargo_gets_it(args: CargoArgs, tool: ToolFacts) -> tuple[CargoArgs, str, dict[str, str]]:
    """The command line, the workspace wrapper and variables. Clippy is `cargo check` with clippy-driver as workspace
    wrapper (cargo-clippy's own way, src/main.rs), without cargo-clippy in between: the guard trusts one cargo."""
    if args.open:
        # Cargo would start a browser in the container, where it may start only compilers.
        return replace(args, rest=tuple(word for word in args.rest if word != "--open")), "", {}
    if args.verb != "clippy":
        return args, "", {}
    if not tool.clippy_driver:
        raise SetupError(
            "clippy is not installed in this toolchain",
            wall="toolchain",
            why=f"no clippy-driver in {tool.root}",
            fix="rustup component add clippy",
        )
    rest = args.rest[: args.rest.index("--")] if "--" in args.rest else args.rest
    lints = [*(["--no-deps"] if "--no-deps" in rest else []), *args.trailing]
    env = {"CLIPPY_ARGS": "".join(f"{lint}__CLIPPY_HACKERY__" for lint in lints)}
    checked = replace(args, verb="check", rest=tuple(word for word in rest if word != "--no-deps"))
    return checked, tool.clippy_driver, env


def _profile_dir(args: CargoArgs) -> str:
    """The folder that a profile's artifacts go to (cargo book, "Profile selection")."""
    name = args.profile or ("release" if args.release or args.verb == "bench" else "dev")
    return {"dev": "debug", "test": "debug", "bench": "release"}.get(name, name)


def _refuse_what_writes_sources(args: CargoArgs) -> None:
    if args.fix:
        raise UsageError(
            "clippy --fix writes into the sources, which are read-only here",
            hint="look at the suggestions with cargo-sandbox clippy, then apply them in your editor",
        )


def _toml_string(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
