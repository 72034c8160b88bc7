"""The activations, one file a family. A new one is a definition in one of these files, or in a new file: nothing else."""
