pub fn help() -> u32 {
    7
}
