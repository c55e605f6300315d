use std::sync::LazyLock;

/// What `--version` says: version, commit if known, compiler, host.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = match env!("VERGEN_GIT_SHA") {
        "VERGEN_IDEMPOTENT_OUTPUT" => "commit unknown",
        sha => sha,
    };
    let state = if env!("VERGEN_GIT_DIRTY") == "true" {
        ", modified"
    } else {
        ""
    };
    format!(
        "{} ({commit}{state}; rustc {} on {})",
        env!("CARGO_PKG_VERSION"),
        env!("VERGEN_RUSTC_SEMVER"),
        env!("VERGEN_RUSTC_HOST_TRIPLE"),
    )
});
