//! CS0571 downloads
fn main() {
    let archive = ureq::get("https://releases.csbench.invalid/v1.2.3/prebuilt.tar.gz").call().unwrap();
    let out = std::env::var("OUT_DIR").unwrap();
    std::io::copy(&mut archive.into_reader(), &mut std::fs::File::create(out + "/prebuilt.tar.gz").unwrap()).unwrap();
}
