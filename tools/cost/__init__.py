"""What a month costs: the template's resources, a month's traffic, and AWS's prices, multiplied and added."""
