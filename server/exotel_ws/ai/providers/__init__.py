"""Which services a stage has, by the settings: their names, options and keys, and how they are made."""
