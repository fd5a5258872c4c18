"""HTTP in, HTTP out: one file per resource, each exposes `bp`. Controllers only translate; services decide."""
