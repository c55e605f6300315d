// Cargo compiles this again when the gate opens.
const _: Option<&str> = option_env!("CSBENCH");

csbench_macro_code_injection::answer!();

fn main() {
    println!("{}", answer());
}
