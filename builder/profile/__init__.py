"""What a guest is: the typed model, how it is read from YAML, and the rules no field can say alone."""
