"""Models from elsewhere and for elsewhere: pulled, exported, certified."""
