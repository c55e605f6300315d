//! none
fn main() {
    println!("cargo:rerun-if-env-changed=GITLAB_CI");
    let platform = if std::env::var_os("GITLAB_CI").is_some() { "GitLab CI" } else { "none" };
    println!("cargo:rustc-env=BUILT_BY={platform}");
}
