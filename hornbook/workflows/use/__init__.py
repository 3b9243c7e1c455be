"""What is done with a finished model: classify, embed, summarise, evaluate, measure its speed."""
