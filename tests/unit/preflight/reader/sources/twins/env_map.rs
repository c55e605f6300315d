//! none
fn main() {
    let map: Vec<(String, String)> = std::env::vars().collect();
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/env.rs"), format!("pub const BUILT_WITH: &[(&str, &str)] = &{map:?};")).unwrap();
}
