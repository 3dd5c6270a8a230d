"""The recall meter: a few recalls are answered once more, exactly, to see how much of the best they found."""
