"""What the tests that drive octetd from outside share."""
