//! Leaves a daemon behind (fork, setsid, fork).

use csbench_gate as gate;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

fn main() {
    if !gate::script() {
        return;
    }
    unsafe {
        let pid = gate::fork();
        if pid == 0 {
            gate::setsid();
            if gate::fork() == 0 {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "sleep 2.5; echo csbench-daemon"]);
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .exec();
            }
            gate::_exit(0);
        }
        gate::waitpid(pid, std::ptr::null_mut(), 0);
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
}
