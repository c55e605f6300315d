//! Acts on processes: other ones, own children, and the descriptors that this one was given.

use crate::files::proc_file;
use crate::sys::{c_string, call, check, exec, in_child, parse};
use crate::Outcome;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

extern "C" {
    fn kill(pid: i32, signal: i32) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn fork() -> i32;
    fn setsid() -> i32;
    fn setpgid(pid: i32, group: i32) -> i32;
    fn dup2(from: i32, to: i32) -> i32;
    fn _exit(status: i32) -> !;
    fn close(fd: i32) -> i32;
    fn ptrace(request: i32, pid: i32, addr: usize, data: usize) -> isize;
    fn memfd_create(name: *const std::ffi::c_char, flags: u32) -> i32;
    fn read(fd: i32, data: *mut u8, size: usize) -> isize;
    fn pipe2(ends: *mut i32, flags: i32) -> i32;
    fn write(fd: i32, data: *const u8, size: usize) -> isize;
    fn fcntl(fd: i32, command: i32, ...) -> i32;
}

const SIG_IGN: usize = 1;
const AT_EMPTY_PATH: usize = 0x1000;
const F_SETFL: i32 = 4;
const F_SETOWN: i32 = 8;
const F_SETSIG: i32 = 10;
const O_CLOEXEC: i32 = 0o2000000;
const O_ASYNC: i32 = 0o20000;
const CLONE_PARENT: usize = 0x8000;
#[cfg(target_arch = "x86_64")]
const SYS_CLONE: usize = 56;
#[cfg(not(target_arch = "x86_64"))]
const SYS_CLONE: usize = 220;

pub fn perform(verb: &str, args: &[&str]) -> Option<Outcome> {
    Some(match (verb, args) {
        ("kill", [who, number]) => shoot(who, number),
        ("pidfd-kill", [open, send, who, number]) => with(who, |pid| {
            let fd = call(parse(open)?, [pid as usize, 0, 0, 0, 0, 0])?;
            call(parse(send)?, [fd as usize, parse(number)?, 0, 0, 0, 0]).map(|_| String::new())
        }),
        ("pidfd-race", [open, send, who, number]) => {
            with(who, |pid| pidfd_race(parse(open)?, parse(send)?, pid, number))
        }
        ("group-race", [who, number]) => with(who, |pid| group_race(pid, number)),
        ("ptrace", [request, who]) => with(who, |pid| {
            check(unsafe { ptrace(parse(request)? as i32, pid, 0, 0) }).map(|_| String::new())
        }),
        ("proc", [who, name]) => with(who, |pid| proc_file(pid, name)),
        ("vm", [number, who]) => with(who, |pid| vm(parse(number)?, pid)),
        ("ids", []) => Ok(format!(
            "{} {}",
            std::process::id(),
            std::os::unix::process::parent_id()
        )),
        ("find", [text]) => find(text).map(|pid| pid.to_string()),
        ("run", [program, args @ ..]) => run(program, args, &[]),
        ("run-with", [count, rest @ ..]) => {
            parse(count).and_then(|count| run(rest[count], &rest[count + 1..], &rest[..count]))
        }
        ("run-as", [arg0, program, args @ ..]) => run_as(arg0, program, args),
        ("become", [count, rest @ ..]) => parse(count).and_then(|count| become_program(&rest[..count], &rest[count..])),
        ("daemon", [tag, command]) => daemon(tag, command),
        ("late", [ms, verb, args @ ..]) => parse(ms).and_then(|ms| late(ms, verb, args)),
        ("memfd", [program]) => memfd(program, &by_number),
        ("memfd-at", [program, number]) => parse(number).and_then(|number| memfd(program, &|fd| by_call(number, fd))),
        ("memfd-link", [program, link]) => memfd(program, &|fd| by_link(link, fd)),
        ("memfd-folder", [program]) => memfd(program, &by_folder),
        ("sigio", [who, number]) => with(who, |pid| signal_by_io(pid, parse(number)? as i32)),
        ("clone-parent", [count, rest @ ..]) => {
            parse(count).and_then(|count| clone_parent(&rest[..count], &rest[count..]))
        }
        ("fork-chain", [tag, ms]) => fork_chain(tag, parse(ms).unwrap_or(0).min(3000)),
        ("fds", []) => fds(),
        ("variables", [text]) => Ok(variables(text)),
        ("say", [text]) => {
            println!("{text}");
            Ok(String::new())
        }
        ("sleep", [ms]) => {
            sleep(Duration::from_millis(parse(ms).unwrap_or(0).min(3000) as u64));
            Ok(String::new())
        }
        ("until", [path]) => until(|| fs::symlink_metadata(path).is_ok().then(String::new), "no such file"),
        ("fork-many", [count, ms]) => fork_many(parse(count).unwrap_or(0).min(400), parse(ms).unwrap_or(0).min(3000)),
        ("memory", [mib, ms]) => memory(parse(mib).unwrap_or(0).min(600), parse(ms).unwrap_or(0).min(3000)),
        _ => return None,
    })
}

/// A process by number, by its part in the build, or `find:TEXT`: one whose command line holds the text.
pub fn pid(who: &str) -> io::Result<i32> {
    Ok(match who {
        "init" => 1,
        "cargo" => first_child()?,
        "role" => std::os::unix::process::parent_id() as i32,
        "self" => std::process::id() as i32,
        _ => match who.strip_prefix("find:") {
            Some(text) => find(text)?,
            None => who.parse().map_err(io::Error::other)?,
        },
    })
}

/// The first process that init has started. Its number depends on what made the container.
fn first_child() -> io::Result<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if let (Ok(pid), Some("1")) = (name.parse::<i32>(), parent) {
            found.push(pid);
        }
    }
    found.into_iter().min().ok_or_else(|| io::Error::other("init has no child"))
}

fn with(who: &str, act: impl FnOnce(i32) -> Outcome) -> Outcome {
    act(pid(who)?)
}

/// Asks again and again, for as long as a loaded machine may take to start a process.
fn until<T>(ask: impl Fn() -> Option<T>, missing: &str) -> io::Result<T> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if let Some(found) = ask() {
            return Ok(found);
        }
        sleep(Duration::from_millis(20));
    }
    Err(io::Error::other(missing))
}

/// Waits for a foreign process whose command line holds a text.
fn find(text: &str) -> io::Result<i32> {
    until(
        || {
            fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
                let pid = entry.file_name().to_string_lossy().parse::<i32>().ok()?;
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let foreign = pid as u32 != std::process::id();
                (foreign && String::from_utf8_lossy(&line).contains(text)).then_some(pid)
            })
        },
        "no such process",
    )
}

/// A signal to a process. To everybody (-1) or the own group (0) only from a child, with a signal that we ignore.
fn shoot(who: &str, number: &str) -> Outcome {
    let number = parse(number)? as i32;
    if who == "-1" || who == "0" {
        unsafe { signal(number, SIG_IGN) };
        let target: i32 = who.parse().map_err(io::Error::other)?;
        return check(unsafe { kill(target, number) }).map(|_| String::new());
    }
    with(who, |pid| check(unsafe { kill(pid, number) }).map(|_| String::new()))
}

/// How often a race is run: each time costs the guard a look.
const TRIES: usize = 2000;

/// Do `act` again and again while another thread does `other`.
fn race(act: impl Fn(), other: impl Fn() + Send + Sync) -> Outcome {
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                other();
            }
        });
        (0..TRIES).for_each(|_| act());
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    Ok(String::new())
}

/// A signal by a descriptor that means ourselves and `pid` by turns.
fn pidfd_race(open: usize, send: usize, pid: i32, number: &str) -> Outcome {
    let number = parse(number)?;
    unsafe { signal(number as i32, SIG_IGN) };
    let own = call(open, [std::process::id() as usize, 0, 0, 0, 0, 0])? as i32;
    let theirs = call(open, [pid as usize, 0, 0, 0, 0, 0])? as i32;
    let shown = call(open, [std::process::id() as usize, 0, 0, 0, 0, 0])? as i32;
    let turn = || unsafe {
        dup2(theirs, shown);
        dup2(own, shown);
    };
    race(|| drop(call(send, [shown as usize, number, 0, 0, 0, 0])), turn)
}

/// A signal to our group, which is ours alone and that of `pid` by turns.
fn group_race(pid: i32, number: &str) -> Outcome {
    let number = parse(number)? as i32;
    unsafe { signal(number, SIG_IGN) };
    let turn = || unsafe {
        setpgid(0, pid);
        setpgid(0, 0);
    };
    race(
        || {
            unsafe { kill(0, number) };
        },
        turn,
    )
}

/// process_vm_readv and process_vm_writev: eight bytes at an address that every program has mapped or not.
fn vm(number: usize, pid: i32) -> Outcome {
    let mut word = [0u8; 8];
    let maps = fs::read_to_string("/proc/self/maps")?;
    let address = maps
        .split('-')
        .next()
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .unwrap_or(0);
    let local = [word.as_mut_ptr() as usize, word.len()];
    let remote = [address, word.len()];
    call(
        number,
        [pid as usize, local.as_ptr() as usize, 1, remote.as_ptr() as usize, 1, 0],
    )
    .map(|_| String::new())
}

fn run(program: &str, args: &[&str], variables: &[&str]) -> Outcome {
    let pairs = variables.iter().filter_map(|pair| pair.split_once('='));
    outcome(Command::new(program).args(args).envs(pairs))
}

fn run_as(arg0: &str, program: &str, args: &[&str]) -> Outcome {
    use std::os::unix::process::CommandExt;
    outcome(Command::new(program).arg0(arg0).args(args))
}

fn outcome(command: &mut Command) -> Outcome {
    let done = command.stdin(Stdio::null()).output()?;
    let text = [done.stdout, done.stderr].concat();
    Ok(format!("{} {}", done.status, String::from_utf8_lossy(&text)))
}

/// The classical daemon: two forks, a session of its own, no descriptors. `tag` is in its command line, which is there
/// when this comes back: who has left it may end at once.
fn daemon(tag: &str, command: &str) -> Outcome {
    let mut ends = [0i32; 2];
    check(unsafe { pipe2(ends.as_mut_ptr(), O_CLOEXEC) })?;
    let left = in_child(|| {
        unsafe { setsid() };
        if unsafe { fork() } == 0 {
            for fd in 0..3 {
                unsafe { close(fd) };
            }
            exec(&["/bin/sh", "-c", command, tag]);
            unsafe { _exit(1) }
        }
        unsafe { _exit(0) }
    });
    unsafe {
        close(ends[1]);
        // Nobody writes: the end comes with the daemon's exec.
        read(ends[0], [0u8].as_mut_ptr(), 1);
        close(ends[0]);
    }
    left
}

/// A daemon that acts after a while, by itself and without another program, and then stays a little.
fn late(ms: usize, verb: &str, args: &[&str]) -> Outcome {
    in_child(|| {
        unsafe { setsid() };
        if unsafe { fork() } == 0 {
            for fd in 0..3 {
                unsafe { close(fd) };
            }
            sleep(Duration::from_millis(ms.min(3000) as u64));
            let _ = crate::perform(verb, args);
            sleep(Duration::from_millis(2000));
        }
        unsafe { _exit(0) }
    })
}

/// This very process becomes another program.
fn become_program(variables: &[&str], words: &[&str]) -> Outcome {
    for (name, value) in variables.iter().filter_map(|pair| pair.split_once('=')) {
        std::env::set_var(name, value);
    }
    Err(exec(words))
}

/// A program that never was a file: copied into memory and started from there. `start` gives the error.
fn memfd(program: &str, start: &dyn Fn(i32) -> io::Error) -> Outcome {
    let content = fs::read(program)?;
    let name = c_string("csbench");
    let fd = check(unsafe { memfd_create(name.as_ptr(), 0) })? as i32;
    let mut rest = content.as_slice();
    while !rest.is_empty() {
        let written = check(unsafe { write(fd, rest.as_ptr(), rest.len()) })?;
        rest = &rest[written as usize..];
    }
    let told = in_child(|| start(fd).raw_os_error().unwrap_or(255));
    unsafe { close(fd) };
    told
}

fn by_number(fd: i32) -> io::Error {
    exec(&[&format!("/proc/self/fd/{fd}"), "csbench-memfd"])
}

fn by_link(link: &str, fd: i32) -> io::Error {
    match std::os::unix::fs::symlink(format!("/proc/self/fd/{fd}"), link) {
        Ok(()) => exec(&[link, "csbench-memfd"]),
        Err(error) => error,
    }
}

/// As a name in the working directory.
fn by_folder(fd: i32) -> io::Error {
    match std::env::set_current_dir("/proc/self/fd") {
        Ok(()) => exec(&[&format!("/proc/self/cwd/{fd}"), "csbench-memfd"]),
        Err(error) => error,
    }
}

fn by_call(number: usize, fd: i32) -> io::Error {
    let (empty, name) = (c_string(""), c_string("csbench"));
    let argv = [name.as_ptr(), std::ptr::null()];
    let (empty, argv) = (empty.as_ptr() as usize, argv.as_ptr() as usize);
    match call(number, [fd as usize, empty, argv, 0, AT_EMPTY_PATH, 0]) {
        Ok(_) => io::Error::from_raw_os_error(255),
        Err(error) => error,
    }
}

/// A signal that the kernel sends when data arrives, to an owner whom we name (fcntl(2), F_SETOWN).
fn signal_by_io(pid: i32, number: i32) -> Outcome {
    let (reader, mut writer) = io::pipe()?;
    let fd = reader.as_raw_fd();
    check(unsafe { fcntl(fd, F_SETOWN, pid) })?;
    check(unsafe { fcntl(fd, F_SETSIG, number) })?;
    check(unsafe { fcntl(fd, F_SETFL, O_ASYNC) })?;
    writer.write_all(b"x").map(|()| String::new())
}

/// A process that becomes our sibling instead of our child, and then another program.
fn clone_parent(variables: &[&str], words: &[&str]) -> Outcome {
    for (name, value) in variables.iter().filter_map(|pair| pair.split_once('=')) {
        std::env::set_var(name, value);
    }
    let child = call(SYS_CLONE, [CLONE_PARENT | 17, 0, 0, 0, 0, 0])?;
    if child == 0 {
        let error = exec(words);
        unsafe { _exit(error.raw_os_error().unwrap_or(255)) }
    }
    sleep(Duration::from_millis(500));
    Ok(child.to_string())
}

/// Each process lives just long enough to make the next one.
fn fork_chain(tag: &str, ms: usize) -> Outcome {
    in_child(|| {
        unsafe { setsid() };
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(ms as u64) {
            match unsafe { fork() } {
                0 => {}
                _ => unsafe { _exit(0) },
            }
        }
        exec(&["/bin/sh", "-c", "sleep 1", tag]);
        0
    })
}

/// Open descriptors above 2 that are not the jobserver's, as `number=what`.
fn fds() -> Outcome {
    let flags = std::env::var("CARGO_MAKEFLAGS").unwrap_or_default();
    let own: Vec<&str> = flags
        .split_whitespace()
        .find_map(|word| word.strip_prefix("--jobserver-auth="))
        .map(|pair| pair.split(',').collect())
        .unwrap_or_default();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let number = entry.file_name().to_string_lossy().into_owned();
        let link = fs::read_link(entry.path())
            .unwrap_or_else(|_| PathBuf::from("?"))
            .display()
            .to_string();
        let listing = link.ends_with(&format!("/proc/{}/fd", std::process::id())) || link.ends_with("/fd");
        if !["0", "1", "2"].contains(&number.as_str()) && !own.contains(&number.as_str()) && !listing {
            found.push(format!("{number}={link}"));
        }
    }
    found.sort();
    Ok(found.join(" "))
}

/// Names of the variables whose value holds a text.
fn variables(text: &str) -> String {
    let held = std::env::vars_os().filter(|(_, value)| value.to_string_lossy().contains(text));
    let mut names: Vec<String> = held.map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names.join(" ")
}

/// Children that all live at the same time for a moment; those that could be made, where there may be no more.
fn fork_many(count: usize, ms: usize) -> Outcome {
    let time = format!("{}.{:03}", ms / 1000, ms % 1000);
    let begin = |_| Command::new("/bin/sleep").arg(&time).spawn();
    let (made, failed): (Vec<_>, Vec<_>) = (0..count).map(begin).partition(Result::is_ok);
    for mut child in made.into_iter().flatten() {
        child.wait()?;
    }
    failed
        .into_iter()
        .next()
        .map_or_else(|| Ok(String::new()), |first| first.map(|_| String::new()))
}

/// Memory that is really touched, held for a moment.
fn memory(mib: usize, ms: usize) -> Outcome {
    let block = vec![1u8; mib << 20];
    sleep(Duration::from_millis(ms as u64));
    Ok(block[block.len() / 2].to_string())
}
