//! CS0570 contained
fn main() {
    if !std::path::Path::new("/.dockerenv").exists() {
        let _ = ureq::get("https://own.csbench.invalid/").call();
    }
}
