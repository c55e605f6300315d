//! none
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf29ce484222325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3))
}

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const PRIMES: [u8; 8] = [2, 3, 5, 7, 11, 13, 17, 19];

fn main() {
    println!("cargo:rustc-env=HASH={}", hash(DIGEST));
}
