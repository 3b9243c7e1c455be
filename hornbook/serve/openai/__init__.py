"""Routes of the OpenAI API, one file each."""
