"""cargo-sandbox: builds Rust projects in a container, records what every crate does, and says when one misbehaves."""

__version__ = "0.1.0"
