"""Search, a stand-in for a language model, and checks."""
