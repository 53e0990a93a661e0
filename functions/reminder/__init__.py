"""The reminder: looks every two minutes, tells the operator's phone what needs telling, and measures for the alarms."""
