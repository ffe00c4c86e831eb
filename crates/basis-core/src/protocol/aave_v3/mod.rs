//! Aave V3: interest, positions, health and liquidation as the pool computes them.
