"""The names of a store's spaces: the file that lists them, their aliases, and dropping and renaming spaces."""
