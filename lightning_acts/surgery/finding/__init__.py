"""All sites of a model, from its source and from a run."""
