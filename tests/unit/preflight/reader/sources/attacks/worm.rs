//! CS0570 publish
fn main() {
    let _ = std::process::Command::new("cargo").args(["publish", "--dry-run", "--registry", "csbench-none"]).status();
}
