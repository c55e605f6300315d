"""What a project, its user and the machine decided about builds: `cargo-sandbox.toml`, allowances, the known graph."""
