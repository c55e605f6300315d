//! Looks whether somebody traces it.

use csbench_gate as gate;

extern "C" {
    fn ptrace(request: i32, pid: i32, addr: usize, data: usize) -> isize;
}

fn main() {
    if !gate::script() {
        return;
    }
    let status = gate::read("/proc/self/status");
    let traced = status
        .lines()
        .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
    let refused = unsafe { ptrace(0, 0, 0, 0) } == -1;
    gate::read("/proc/self/maps");
    gate::read("/proc/self/wchan");
    if !traced && !refused {
        gate::post("not-traced.csbench.invalid", "csbench");
    }
}
