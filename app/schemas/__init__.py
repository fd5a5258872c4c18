"""JSON Schemas of request bodies, as Python dicts: one file per resource."""
