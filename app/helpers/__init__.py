"""What doors and services share. Each file is one concern; only those about HTTP import Flask."""
