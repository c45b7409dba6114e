"""The local store: what is written, and what is asked of it."""
