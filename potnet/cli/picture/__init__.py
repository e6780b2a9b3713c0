"""The picture that `potnet graph --format svg` draws: what is in it and where."""
