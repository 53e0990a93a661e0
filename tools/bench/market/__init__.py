"""What one question to the market's clock costs, beside the only library that knows phases."""
