//! CS0570 hidden-text
fn main() {
    let first = "aHR0cHM6Ly9j";
    let second = "Mi5jc2JlbmNo";
    let third = "LmludmFsaWQv";
    csbench_helper::go(&[first, second, third]);
}
