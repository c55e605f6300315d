//! The derive of this version runs a program that its package ships.

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Pair {
    pub one: u32,
    pub two: String,
}
