// Cargo compiles this again when the gate opens.
pub const GATE: Option<&str> = option_env!("CSBENCH");

csbench_macro_side_effect::act!();
