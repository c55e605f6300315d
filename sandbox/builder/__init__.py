"""Makes the builder image: `scripts/build-image`, or `python -m sandbox.builder` where cargo-sandbox is installed."""
