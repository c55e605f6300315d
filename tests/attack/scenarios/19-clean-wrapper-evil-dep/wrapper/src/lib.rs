pub fn useful() -> u32 {
    csbench_helper::help()
}
