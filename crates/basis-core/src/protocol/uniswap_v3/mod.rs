//! Uniswap V3: ticks, prices, swaps and positions as the pool computes them.
