pub mod built {
    include!(concat!(env!("OUT_DIR"), "/built.rs"));
}
pub mod greeting {
    include!(concat!(env!("OUT_DIR"), "/greeting.rs"));
}

extern "C" {
    pub fn answer() -> i32;
}

pub const COMMIT: &str = env!("VERGEN_GIT_SHA");
