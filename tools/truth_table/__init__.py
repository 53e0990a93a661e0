"""The status's truth table: token x market x feed x worker x clock, from the code itself."""
