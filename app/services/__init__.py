"""The verbs: what the product can do, for both doors. A service exists only where an act touches several models,
enqueues, or starts from both doors."""
