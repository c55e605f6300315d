//! CS0571 masked-name
macro_rules! start {
    ($name:ident) => { std::process::$name::new("make") };
}

fn main() {
    start!(Command).status().unwrap();
}
