"""The APIs that other programs speak, one a module."""
