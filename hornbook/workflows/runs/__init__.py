"""The life of a run, whatever it trains: its folder, its recipe, its order of stages."""
