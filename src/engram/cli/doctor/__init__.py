"""What ``engram doctor`` checks. Each check takes what was found as arguments, and says what to change."""
