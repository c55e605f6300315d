//! Runs the guard as process 1 of a bubblewrap container and speaks its frames, as the orchestrator does.
//!
//! Needs bwrap and user namespaces; where they are missing the tests fail, because the guard can't do its work there.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

const GUARD: &str = env!("CARGO_BIN_EXE_guard");
const READY: &[u8] = b"ready\n";

/// One instruction of a BPF program (struct `sock_filter`).
fn instruction(code: u16, yes: u8, no: u8, k: u32) -> [u8; 8] {
    let ([c0, c1], [k0, k1, k2, k3]) = (code.to_ne_bytes(), k.to_ne_bytes());
    [c0, c1, yes, no, k0, k1, k2, k3]
}

/// A filter that asks for the given calls and allows all others.
fn filter(calls: &[libc::c_long]) -> String {
    const NOTIFY: u32 = 0x7fc0_0000;
    deciding(calls, NOTIFY)
}

/// A filter with this verdict for the given calls that allows all others.
fn deciding(calls: &[libc::c_long], verdict: u32) -> String {
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    let mut program = instruction(LOAD, 0, 0, 0).to_vec();
    for call in calls {
        program.extend(instruction(EQUAL, 0, 1, u32::try_from(*call).unwrap()));
        program.extend(instruction(RETURN, 0, 0, verdict));
    }
    program.extend(instruction(RETURN, 0, 0, ALLOW));
    program.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[kind], &length[..], payload].concat()
}

/// What came out of one run.
struct Run {
    frames: Vec<(u8, String)>,
    code: i32,
}

impl Run {
    fn text(&self, kind: u8) -> String {
        let of_kind = self.frames.iter().filter(|frame| frame.0 == kind);
        of_kind.map(|frame| frame.1.as_str()).collect()
    }

    fn has_event(&self, parts: &[&str]) -> bool {
        self.text(b'V')
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

/// Run a shell command under the guard. `later` is sent once it has printed `ready`.
fn run(script: &str, pairs: &[(&str, &str)], later: &[u8]) -> Run {
    let calls = [
        libc::SYS_execve,
        libc::SYS_openat,
        libc::SYS_connect,
        libc::SYS_kill,
        libc::SYS_ptrace,
        libc::SYS_unshare,
        libc::SYS_prctl,
    ];
    let filter = filter(&calls);
    let mut config = Vec::new();
    let common = [
        ("arg", "/bin/sh"),
        ("arg", "-c"),
        ("arg", script),
        ("env", "PATH=/usr/bin:/bin"),
        ("cwd", "/"),
        ("filter", &filter),
        ("stdout", "pipe"),
        ("stderr", "pipe"),
        ("programs", "1"),
        ("target_dir", "/none"),
    ];
    for (key, value) in common.iter().chain(pairs) {
        config.extend(format!("{key}\0{value}\0").into_bytes());
    }
    let mut child = Command::new("bwrap")
        .args("--unshare-user --unshare-pid --unshare-net --unshare-ipc --die-with-parent --cap-drop ALL".split(' '))
        .args("--as-pid-1 --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /run".split(' '))
        .args(["--ro-bind", GUARD, "/run/cargo-sandbox/guard", "--", "/run/cargo-sandbox/guard", "init"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bwrap is needed for this test");
    let mut to_guard = child.stdin.take().unwrap();
    to_guard.write_all(&frame(b'C', &config)).unwrap();
    let mut from_guard = child.stdout.take().unwrap();
    let mut bytes = Vec::new();
    if !later.is_empty() {
        let mut piece = [0; 4096];
        while !bytes.windows(READY.len()).any(|seen| seen == READY) {
            let count = from_guard.read(&mut piece).unwrap();
            assert!(count > 0, "it ended before it was ready");
            bytes.extend_from_slice(&piece[..count]);
        }
        to_guard.write_all(later).unwrap();
    }
    from_guard.read_to_end(&mut bytes).unwrap();
    drop(to_guard);
    let code = child.wait().unwrap().code().unwrap();
    let mut frames = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize;
        frames.push((
            rest[0],
            String::from_utf8_lossy(&rest[5..5 + length]).into_owned(),
        ));
        rest = &rest[5 + length..];
    }
    Run { frames, code }
}

fn number(text: &str, key: &str) -> u64 {
    let (_, after) = text.split_once(&format!("\"{key}\":")).unwrap();
    let end = after
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(after.len());
    after[..end].parse().unwrap()
}

#[test]
fn alone_the_filter_decides_by_itself_and_nothing_of_the_build_is_told_but_its_output() {
    const EPERM: u32 = 0x0005_0001;
    let filter = deciding(&[libc::SYS_unshare], EPERM);
    let script = "unshare -U true; echo refused $?; cat /etc/hostname >/dev/null; exit 7";
    let run = run(script, &[("alone", "1"), ("filter", &filter)], b"");
    assert_eq!(run.code, 0);
    assert_eq!(run.text(b'O'), "refused 1\n");
    assert!(run.text(b'E').contains("not permitted"));
    assert!(run.text(b'S').contains("\"alone\":true"));
    assert_eq!(run.text(b'V'), "");
    assert!(run
        .text(b'U')
        .lines()
        .all(|line| line.contains("\"unit\":\"u0\"")));
    let exit = run.text(b'X');
    assert!(exit.contains("\"code\":7,"));
    assert_eq!((number(&exit, "seen"), number(&exit, "written")), (0, 0));
}

#[test]
fn a_filter_that_asks_where_nobody_listens_refuses() {
    let run = run(
        "kill -0 $$ || echo refused",
        &[("alone", "1"), ("filter", &filter(&[libc::SYS_kill]))],
        b"",
    );
    assert_eq!(run.text(b'O'), "refused\n");
}

#[test]
fn a_run_comes_out_whole_and_its_counters_agree() {
    let run = run(
        "echo out; echo err >&2; exec /bin/cat /etc/hostname; exit 9",
        &[],
        b"",
    );
    assert_eq!(run.code, 0);
    assert_eq!(run.frames.first().unwrap().0, b'S');
    assert_eq!(run.frames.last().unwrap().0, b'X');
    assert!(run.text(b'O').starts_with("out\n"));
    assert_eq!(run.text(b'E'), "err\n");
    assert!(run.has_event(&[
        "\"seq\":1,",
        "\"kind\":\"exec\"",
        "\"unit\":\"u0\"",
        "/bin/sh"
    ]));
    assert!(run.has_event(&["\"unit\":\"u1\"", "\"kind\":\"open\"", "/etc/hostname"]));
    let exit = run.text(b'X');
    assert!(exit.contains("\"code\":0,"));
    assert_eq!(
        number(&exit, "seen"),
        number(&exit, "written") + number(&exit, "quiet")
    );
    assert_eq!(
        number(&exit, "written"),
        run.text(b'V').lines().count() as u64
    );
    assert_eq!((number(&exit, "unreadable"), number(&exit, "lost")), (0, 0));
}

#[test]
fn acts_that_no_build_needs_are_refused_and_seen() {
    let script = "exec /bin/sh -c 'kill -9 1; /usr/bin/unshare -U true; echo $?'";
    let run = run(script, &[], b"");
    assert!(run.has_event(&[
        "\"kind\":\"kill\"",
        "\"target\":1,",
        "\"outcome\":\"denied\"",
        "EPERM"
    ]));
    assert!(run.has_event(&["\"kind\":\"namespace\"", "unshare", "\"by\":\"guard\""]));
    assert!(run.text(b'X').contains("\"code\":0,"));
}

#[test]
fn a_program_is_refused_where_only_compiling_is_planned() {
    let run = run("/bin/true; echo $?; exit 4", &[("programs", "0")], b"");
    assert!(run.has_event(&[
        "\"kind\":\"exec\"",
        "/bin/true",
        "\"outcome\":\"denied\"",
        "only compilers"
    ]));
    assert!(run.text(b'X').contains("\"code\":4,"));
}

#[test]
fn what_outlives_the_build_is_recorded_and_ended() {
    let run = run(
        "/usr/bin/setsid /bin/sleep 60 & /bin/sleep 0.2; exit 3",
        &[],
        b"",
    );
    assert!(run.has_event(&["\"kind\":\"survivor\"", "\"/bin/sleep\",\"60\""]));
    let exit = run.text(b'X');
    assert!(exit.contains("\"code\":3,"));
    assert_eq!(number(&exit, "survivors"), 1);
}

#[test]
fn a_signal_reaches_the_build_and_quit_ends_everything() {
    // Not SIGINT: whoever runs this in the background has it ignored, and no shell can trap what was ignored before it.
    let interrupted = run(
        "trap 'echo caught; exit 5' USR1; /bin/sleep 60 & echo ready; wait",
        &[],
        &frame(b'K', &[10]),
    );
    assert_eq!(interrupted.text(b'O'), "ready\ncaught\n");
    assert!(interrupted.text(b'X').contains("\"code\":5,"));
    let ended = run(
        "trap '' INT TERM; echo ready; /bin/sleep 60",
        &[],
        &frame(b'Q', b""),
    );
    assert!(ended.text(b'X').contains("\"signal\":9,"));
}

#[test]
fn a_terminal_is_a_terminal_with_its_size() {
    let pairs = [("stdout", "tty"), ("stderr", "tty"), ("winsize", "40,100")];
    let run = run("test -t 1 && echo yes; /usr/bin/stty size <&1", &pairs, b"");
    assert_eq!(run.text(b'O'), "yes\n40 100\n");
}

#[test]
fn a_wall_that_cannot_stand_ends_the_guard_before_anything_runs() {
    for (pair, wall) in [
        (("require_landlock", "99"), "landlock"),
        (("cwd", "/gone"), "exec"),
        (("colour", "red"), "config"),
        (("same", "1:1\t/usr"), "host files"),
        (("same", "1:1\t/gone"), "host files"),
    ] {
        let run = run("echo ran", &[pair], b"");
        assert_eq!(run.code, 121);
        assert_eq!(run.frames.len(), 1);
        assert!(
            run.text(b'F').contains(&format!("\"wall\":\"{wall}\"")),
            "{}",
            run.text(b'F')
        );
    }
}
