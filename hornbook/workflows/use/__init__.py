"""What is done with a finished model: embed, summarise, decide."""
