"""What users ask for, from inputs to a finished folder: the other packages' stages in order."""
