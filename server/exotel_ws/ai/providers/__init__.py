"""Services of each stage as the settings choose them: their names, options and keys, and how they are made."""
