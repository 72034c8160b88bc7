"""One run from YAML: reading, checking, building, its folder, and going on with it."""
