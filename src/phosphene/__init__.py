"""phosphene: the open studio for neural image synthesis."""

__version__ = "0.1.0"
