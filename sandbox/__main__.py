"""`python -m sandbox` is `cargo-sandbox`."""

from sandbox.cli.main import entry

if __name__ == "__main__":
    entry()
