"""Version 0 of the API: the brief's own paths, shapes and status codes, with the same services behind them."""
