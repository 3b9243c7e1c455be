"""One process that every client of the OpenAI API can use."""
