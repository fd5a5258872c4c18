"""What `run.py` can do: one module per command, each with `main(args) -> int`."""
