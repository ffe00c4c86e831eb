//! Morpho Blue and its adaptive-curve interest rate model.
