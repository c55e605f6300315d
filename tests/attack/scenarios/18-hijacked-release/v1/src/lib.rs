pub fn sum(all: &[u32]) -> u32 {
    all.iter().sum()
}
