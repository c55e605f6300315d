//! Installs a user service that starts again, and a cron job.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    let folder = gate::home().join(".config/systemd/user");
    let _ = fs::create_dir_all(&folder);
    let _ = fs::write(
        folder.join("csbench.service"),
        "[Service]\nExecStart=/bin/true\nRestart=always\n",
    );
    gate::run("crontab", &["/dev/null"]);
    let _ = fs::write("/var/spool/cron/crontabs/csbench", "");
}
